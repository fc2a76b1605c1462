"""A prompt of the registry: what it says, and what it becomes with variables put in."""

from __future__ import annotations

import contextlib
import copy
import json
from typing import Any, Callable, Iterator, Mapping, Sequence

from stillhouse._context import PromptRef, context
from stillhouse._marks import Text
from stillhouse._templates import can_render, names_in, render_all
from stillhouse.errors import MissingVariables, PromptError

PLACEHOLDER = "messages"  # the type of what stands in a body for messages put in
TEXT, CHAT = "text", "chat"

Answer = Mapping[str, Any]
Compile = Callable[[Answer, Mapping[str, Any]], Any]


class Prompt:
    """One version of a prompt. It never changes, so any number of threads may share it.

    `kind` is "text" or "chat"; `label` is the label it was found by, None by number. Of a fallback
    `is_fallback` is True and `version` None.
    """

    __slots__ = (
        "_answer",
        "_ask",
        "_body",
        "_named",
        "_texts",
        "is_fallback",
        "kind",
        "label",
        "name",
        "version",
    )

    def __init__(self, answer: Answer, ask: Compile, *, is_fallback: bool = False) -> None:
        """Raises KeyError, TypeError or ValueError: the answer is none of this contract."""
        self.name: str = answer["name"]
        self.version: int | None = answer.get("version")
        self.label: str | None = answer.get("label")
        self.kind: str = answer["kind"]
        self.is_fallback = is_fallback
        self._answer = answer
        self._ask = ask
        self._body = _entries(answer)
        self._texts = _texts(self._body)
        self._named: set[str] | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """The model's parameters that were saved with it, for `create(**prompt.settings)`."""
        return copy.deepcopy(self._answer.get("settings") or {})

    @property
    def tools(self) -> list[dict[str, Any]]:
        """Tools as chat completions take them; an empty list when there are none."""
        return copy.deepcopy(self._answer.get("tools") or [])

    @property
    def response_schema(self) -> dict[str, Any] | None:
        """A JSON schema for the answer, or None."""
        return copy.deepcopy(self._answer.get("response_schema"))

    @property
    def variables(self) -> list[dict[str, Any]]:
        """What it takes: name, type, description and example of each."""
        return copy.deepcopy(self._answer.get("variables") or [])

    def compile(self, /, **variables: Any) -> Any:
        """The prompt with variables put in: a str of a text, a list of message dicts of a chat.

        Variables it does not name are ignored. A placeholder takes a list of messages. The strings
        in it know where they come from: calls of wrapped clients that contain them, and calls that
        `Client.log` is given, are logged with this prompt's name and version and the variables.
        Typed as Any, so that it fits the message types of every provider's client.

        Raises:
            MissingVariables: some are missing; all are named.
            PromptError: a Jinja template fails with these variables.
            StillhouseUnavailable: it is of a syntax that only the server can compile (Jinja where
                jinja2 is not installed), and the server did not.
        """
        source = self._source(variables)
        if can_render(self._syntax):
            return _marked(self._rendered(variables), source)
        return _marked(self._ask(self._answer, variables), source)

    @contextlib.contextmanager
    def use(self, /, **variables: Any) -> Iterator[Any]:
        """`compile`, for a block whose calls all are logged with this prompt and its variables.

        For texts that are taken apart or put together before they are sent, and for frameworks
        that make their own of them.
        """
        compiled = self.compile(**variables)
        with context(prompt=self._source(variables)):
            yield compiled

    def __repr__(self) -> str:
        number = "fallback" if self.is_fallback else self.version
        return f"<Prompt {self.name}:{number}>"

    @property
    def _syntax(self) -> str:
        return str(self._answer.get("syntax") or "mustache")

    @property
    def _slots(self) -> list[str]:
        return [entry["name"] for entry in self._body if _is_placeholder(entry)]

    def _source(self, variables: Mapping[str, Any]) -> PromptRef:
        if self._named is None:
            self._named = self._names()
        named = {name: value for name, value in variables.items() if name in self._named}
        source: PromptRef = {"name": self.name, "variables": named}
        if self.version is not None:
            source["version"] = self.version
        return source

    def _names(self) -> set[str]:
        if can_render(self._syntax):
            return names_in(self._texts, self._syntax).union(self._slots)
        return {str(each.get("name")) for each in self.variables}.union(self._slots)

    def _rendered(self, variables: Mapping[str, Any]) -> Any:
        absent = [name for name in self._slots if name not in variables]
        try:
            rendered = render_all(self._texts, self._syntax, variables)
        except MissingVariables as error:
            raise MissingVariables([*error.names, *absent]) from None
        if absent:
            raise MissingVariables(absent)
        done = dict(zip(self._texts, rendered))  # noqa: B905 - Python 3.9
        if self.kind == TEXT:
            return done[self._body[0]["content"]]
        return [message for entry in self._body for message in _messages(entry, done, variables)]


def fallback_prompt(name: str, label: str | None, fallback: object, ask: Compile) -> Prompt:
    """What a program brings along for when the registry has never been reached.

    Raises:
        ValueError: it is neither a text nor a list of messages.
    """
    if isinstance(fallback, str):
        answer: Answer = {"kind": TEXT, "body": str(fallback)}
    else:
        answer = {"kind": CHAT, "body": fallback}
    try:
        return Prompt({"name": name, "label": label, **answer}, ask, is_fallback=True)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError("A fallback is a text or a list of messages.") from error


def _entries(answer: Answer) -> list[dict[str, Any]]:
    """The messages and placeholders in order, with few-shot blocks after the system messages."""
    body = answer["body"]
    if answer["kind"] == TEXT:
        if not isinstance(body, str):
            raise TypeError("the body of a text")
        return [{"content": body}]
    entries = [_entry(each) for each in body]
    shots = [_entry(each) for shot in answer.get("few_shot") or [] for each in shot["messages"]]
    after = 0
    while after < len(entries) and entries[after].get("role") in ("system", "developer"):
        after += 1
    return [*entries[:after], *shots, *entries[after:]]


def _entry(given: Any) -> dict[str, Any]:
    """A message or a placeholder, as a dict of our own."""
    entry = copy.deepcopy(dict(given))
    if not isinstance(entry["name" if _is_placeholder(entry) else "role"], str):
        raise TypeError("a message")
    return entry


def _is_placeholder(entry: Mapping[str, Any]) -> bool:
    return entry.get("type") == PLACEHOLDER and "role" not in entry


def _texts(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """The templates, each once: contents that are texts, and the texts among their parts."""
    found: dict[str, None] = {}

    def note(text: str) -> str:
        found[text] = None
        return text

    for entry in entries:
        _with_texts(entry, note)
    return list(found)


def _with_texts(message: Mapping[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    """The message with its texts changed."""
    content = message.get("content")
    if isinstance(content, str):
        return {**message, "content": change(content)}
    if isinstance(content, list):
        return {**message, "content": [_with_text(part, change) for part in content]}
    return dict(message)


def _with_text(part: Any, change: Callable[[str], str]) -> Any:
    if isinstance(part, dict) and isinstance(part.get("text"), str):
        return {**part, "text": change(part["text"])}
    return part


def _messages(
    entry: Mapping[str, Any], done: Mapping[str, str], variables: Mapping[str, Any]
) -> list[Any]:
    if _is_placeholder(entry):
        return _given(entry["name"], variables[entry["name"]])
    return [_with_texts(copy.deepcopy(dict(entry)), done.__getitem__)]


def _given(name: str, messages: Any) -> list[Any]:
    if isinstance(messages, (str, bytes, Mapping)):
        raise PromptError(f"{name} takes a list of messages.")
    try:
        return list(messages)
    except TypeError:
        raise PromptError(f"{name} takes a list of messages.") from None


def _marked(compiled: str | list[Any], source: PromptRef) -> Any:
    """The same with every text in it knowing its prompt; objects of a client's stay theirs."""
    if isinstance(compiled, str):
        return Text(compiled, source)
    return [
        _with_texts(message, lambda text: Text(text, source))
        if isinstance(message, Mapping)
        else message
        for message in compiled
    ]


def as_answer(body: bytes) -> Answer:
    """The JSON of a prompt.

    Raises:
        ValueError: it is no JSON.
        TypeError: it is no object.
    """
    answer = json.loads(body)
    if not isinstance(answer, dict):
        raise TypeError("an object")
    return answer
