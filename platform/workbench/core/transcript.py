"""Chat messages as people read them: turns with their tool calls and what came back from them.

Messages are what clients sent, so nothing about their types is taken for granted. Nothing is
fetched and nothing is interpreted: a text is a text, an image is told of in words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

FOLDED_FROM = 4_000
"""Characters; a longer text shows its start and folds the rest."""
HEAD = 1_500
INSTRUCTIONS_FOLDED_FROM = 1_500
INSTRUCTIONS_HEAD = 500
"""The same of what the system says, which is the same in every request."""
_INSTRUCTIONS = ("system", "developer")
MOST_SHOWN = 1_000_000
"""Characters of all messages together that a page holds; the rest is in the raw body."""
MOST_INLINE = 400_000
"""Characters of an image in the request itself that a page can show."""
_THOUGHTS = ("thinking", "reasoning", "reasoning_text", "summary_text")
_TEXTS = ("text", "input_text", "output_text", "refusal")
_inline_image = re.compile(r"data:image/(png|jpeg|gif|webp);base64,([A-Za-z0-9+/=\s]+)")
_data = re.compile(r"data:([\w.+-]+/[\w.+-]+)?[^,]*,")
Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Text:
    """A text: its start, what is folded, and how many characters are not shown at all."""

    head: str
    rest: str = ""
    cut: int = 0

    is_text = True

    @property
    def size(self) -> int:
        """Characters, all of them."""
        return len(self.head) + len(self.rest) + self.cut


@dataclass(frozen=True, slots=True)
class Attachment:
    """An image, a sound, a file: what it is and where it lies; `image` can be shown inline."""

    label: str
    place: str = ""
    image: str = ""

    is_text = False


Part = Text | Attachment


@dataclass(slots=True)
class Call:
    """A tool that was called, and what it answered when that is in the conversation."""

    name: str
    arguments: Any
    id: str = ""
    results: list[list[Part]] = field(default_factory=list)


@dataclass(slots=True)
class Turn:
    """One message; `answers` is the id of the call whose result it is, when that is not here."""

    role: str
    name: str = ""
    parts: list[Part] = field(default_factory=list)
    thoughts: list[Text] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    answers: str = ""

    @property
    def size(self) -> int:
        """Characters of its texts."""
        return sum(part.size for part in self.parts if isinstance(part, Text))


class _Room:
    """How many characters the page still takes."""

    def __init__(self) -> None:
        self._left = MOST_SHOWN
        self._role = ""

    def enter(self, role: str) -> None:
        """What follows is said by this role."""
        self._role = role

    def text(self, text: str) -> Text:
        shown = text[: self._left]
        self._left -= len(shown)
        instructs = self._role in _INSTRUCTIONS
        most = INSTRUCTIONS_FOLDED_FROM if instructs else FOLDED_FROM
        start = INSTRUCTIONS_HEAD if instructs else HEAD
        head = shown if len(shown) <= most else shown[: _start(shown, start)]
        return Text(head, shown[len(head) :], len(text) - len(shown))


def read_turns(messages: object) -> list[Turn]:
    """The turns of a conversation in order; a tool's result stands with its call."""
    room = _Room()
    turns: list[Turn] = []
    waiting: dict[str, Call] = {}
    for message in messages if isinstance(messages, Sequence) else ():
        if not isinstance(message, Mapping):
            continue
        turn = _turn(message, room)
        answers = _answers(message)
        if answers and (call := waiting.get(answers)):
            call.results.append(turn.parts)
            continue
        turn.answers = answers
        waiting |= {call.id or call.name: call for call in turn.calls}
        turns.append(turn)
    return turns


def _turn(message: Message, room: _Room) -> Turn:
    room.enter(_word(message.get("role")))
    parts, thoughts = _content(message.get("content"), room)
    for name in ("reasoning_content", "reasoning"):
        if isinstance(message.get(name), str) and message[name]:
            thoughts.insert(0, room.text(message[name]))
            break
    if isinstance(message.get("refusal"), str) and message["refusal"]:
        parts.append(room.text(message["refusal"]))
    return Turn(
        role=_word(message.get("role")) or "\N{EN DASH}",
        name=_word(message.get("name")),
        parts=parts,
        thoughts=thoughts,
        calls=list(_calls(message)),
    )


def _answers(message: Message) -> str:
    """The id of the call a message answers; older clients name the function."""
    if message.get("role") == "function":
        return _word(message.get("name"))
    return _word(message.get("tool_call_id")) if message.get("role") == "tool" else ""


def _calls(message: Message) -> Iterator[Call]:
    given = message.get("tool_calls")
    for one in given if isinstance(given, list) else ():
        function = one.get("function") if isinstance(one, Mapping) else None
        if isinstance(function, Mapping):
            yield Call(_tool(function), function.get("arguments"), _word(one.get("id")))
    if isinstance(message.get("function_call"), Mapping):
        function = message["function_call"]
        yield Call(_tool(function), function.get("arguments"))


def _tool(function: Message) -> str:
    return _word(function.get("name")) or "tool"


def _content(content: object, room: _Room) -> tuple[list[Part], list[Text]]:
    parts: list[Part] = []
    thoughts: list[Text] = []
    for part in content if isinstance(content, list) else [content]:
        thought = _thought(part)
        if thought is not None:
            thoughts.append(room.text(thought))
        elif part is not None and part != "":
            parts.append(_part(part, room))
    return parts, thoughts


def _thought(part: object) -> str | None:
    if not isinstance(part, Mapping) or part.get("type") not in _THOUGHTS:
        return None
    found = part.get("thinking") or part.get("text") or ""
    return found if isinstance(found, str) else ""


def _part(part: object, room: _Room) -> Part:
    if isinstance(part, str):
        return room.text(part)
    if not isinstance(part, Mapping):
        return room.text(_json(part))
    for name in _TEXTS:
        if part.get("type", name) == name and isinstance(part.get(name, part.get("text")), str):
            return room.text(part.get(name, part.get("text")))
    return _attachment(part) or room.text(_json(part))


def _attachment(part: Message) -> Attachment | None:
    kind = _word(part.get("type"))
    if "image" in kind:
        return _image(part)
    if "audio" in kind:
        sound = _inner(part, "input_audio", "audio")
        form = _word(sound.get("format")).upper()
        return Attachment(_label("Audio", form, _size(sound.get("data"))))
    if kind in {"file", "input_file", "document", "video_url", "input_video"}:
        return _file(part)
    return None


def _image(part: Message) -> Attachment:
    """OpenAI's `image_url` (an object, a text in Responses), or Anthropic's `source`."""
    given = part.get("image_url")
    url = given.get("url") if isinstance(given, Mapping) else given
    source = _inner(part, "source")
    if not isinstance(url, str) and isinstance(source.get("data"), str):
        url = f"data:{source.get('media_type')};base64,{source['data']}"
    if not isinstance(url, str):
        url = _word(source.get("url")) or _word(part.get("file_id"))
    if not url.startswith("data:"):
        return Attachment("Image, not loaded", url[:500])
    shown = _inline_image.fullmatch(url) if len(url) <= MOST_INLINE else None
    form = _data.match(url)
    name = (form[1] or "" if form else "").partition("/")[2].upper()
    label = _label("Image", name, _size(url.partition(",")[2]))
    return Attachment(label, "in the request", url if shown else "")


def _file(part: Message) -> Attachment:
    file = _inner(part, "file", "source") or part
    name = _word(file.get("filename")) or _word(part.get("title")) or _word(part.get("filename"))
    data = file.get("file_data") or file.get("data")
    place = _word(file.get("file_id")) or _word(file.get("url")) or _word(part.get("file_url"))
    return Attachment(_label("File", name, _size(data)), place[:500])


def _inner(part: Message, *names: str) -> Message:
    return next((part[name] for name in names if isinstance(part.get(name), Mapping)), {})


def _label(*words: str) -> str:
    return ", ".join(word for word in words if word)


def _size(data: object) -> str:
    """Of base64, which takes four characters for three bytes."""
    if not isinstance(data, str) or not data:
        return ""
    many = len(data) * 3 // 4
    return f"{many:,} bytes" if many < 10_000 else f"{many / 1000:,.0f} kB"


def _start(text: str, most: int) -> int:
    """Where the start of a long text ends: at a line's or a word's end, if one is near."""
    for mark in ("\n", " "):
        found = text.rfind(mark, most // 2, most)
        if found > 0:
            return found + 1
    return most


def _word(value: object) -> str:
    return value if isinstance(value, str) else ""


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
