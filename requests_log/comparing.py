"""Two requests side by side, message by message: what was asked and answered otherwise."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from hashlib import sha256
from typing import Any, Literal
from uuid import UUID

from requests_log.digest.shapes import message_text
from requests_log.models import LoggedRequest
from workbench.core.errors import InvalidInput, NotFound
from workbench.core.models import Project
from workbench.core.worddiff import Piece, word_diff

MOST_COMPARED = 400_000
"""Characters that are compared word by word; later messages are shown whole."""
MOST_SHOWN = 20_000
"""Characters of a message without a change that the page holds."""
_uuid = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

Kind = Literal["same", "changed", "removed", "added"]
Said = tuple[str, str]
"""Role and text of a message."""


@dataclass(frozen=True)
class Line:
    """A message of both requests, or of one of them."""

    kind: Kind
    role: str
    pieces: list[Piece]
    size: int = 0


@dataclass(frozen=True)
class Fact:
    """A value of both requests."""

    name: str
    before: Any
    after: Any

    @property
    def differs(self) -> bool:
        return bool(self.before != self.after)


@dataclass(frozen=True)
class Comparison:
    """What differs between two requests."""

    other: LoggedRequest
    lines: list[Line]
    facts: list[Fact]

    @property
    def is_equal(self) -> bool:
        return all(line.kind == "same" for line in self.lines)


def find_other(project: Project, text: str) -> LoggedRequest:
    """The request somebody names by its id, or by the address of its page.

    Raises:
        InvalidInput: there is no id in the text.
        NotFound: the project has no such request.
    """
    ids = _uuid.findall(text[:2_000])
    if not ids:
        raise InvalidInput("Paste the id of a request, or the address of its page.")
    rows = LoggedRequest.objects.in_project(project).defer("search")
    found = rows.filter(id__in=[UUID(one) for one in ids[:5]]).first()
    if found is None:
        raise NotFound("There is no such request in this project. Look at its page for the id.")
    return found


def compare(logged: LoggedRequest, other: LoggedRequest) -> Comparison:
    """How `other` differs from `logged`; both must be digested to show their messages."""
    return Comparison(other, list(_lines(_said(logged), _said(other))), _facts(logged, other))


def _said(logged: LoggedRequest) -> list[Said]:
    asked = logged.messages if isinstance(logged.messages, list) else []
    whole = [*asked, logged.output] if isinstance(logged.output, Mapping) else asked
    return [
        (str(message.get("role") or ""), message_text(message))
        for message in whole
        if isinstance(message, Mapping)
    ]


def _lines(before: Sequence[Said], after: Sequence[Said]) -> Iterator[Line]:
    room = MOST_COMPARED
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    for kind, start, stop, other_start, other_stop in matcher.get_opcodes():
        if kind == "equal":
            yield from map(_same, before[start:stop])
            continue
        for one, two in _pairs(before[start:stop], after[other_start:other_stop]):
            room -= len(one[1] if one else "") + len(two[1] if two else "")
            yield _changed(one, two, by_word=room > 0)


def _pairs(
    before: Sequence[Said], after: Sequence[Said]
) -> Iterator[tuple[Said | None, Said | None]]:
    """Messages that took each other's place: in order, and of one role."""
    at = 0
    for one in before:
        place = next((i for i in range(at, len(after)) if after[i][0] == one[0]), None)
        if place is None:
            yield one, None
            continue
        yield from ((None, two) for two in after[at:place])
        yield one, after[place]
        at = place + 1
    yield from ((None, two) for two in after[at:])


def _same(said: Said) -> Line:
    role, text = said
    return Line("same", role, [Piece("same", text[:MOST_SHOWN])], len(text))


def _changed(before: Said | None, after: Said | None, *, by_word: bool) -> Line:
    if before and after:
        whole = [Piece("removed", before[1]), Piece("added", after[1])]
        pieces = word_diff(before[1], after[1]) if by_word else whole
        return Line("changed", before[0], pieces)
    if before:
        return Line("removed", before[0], [Piece("removed", before[1])])
    role, text = after or ("", "")
    return Line("added", role, [Piece("added", text)])


def _facts(logged: LoggedRequest, other: LoggedRequest) -> list[Fact]:
    facts = [
        Fact(label, getattr(logged, name), getattr(other, name)) for name, label in _PLAIN.items()
    ]
    one, two = _parameters(logged), _parameters(other)
    names = sorted((one.keys() | two.keys()) - {"model"})  # which stands above them
    return facts + [Fact(name, one.get(name), two.get(name)) for name in names]


_PLAIN = {
    "status": "Status",
    "prompt_name": "Prompt",
    "prompt_version": "Prompt version",
    "model_used": "Answered by",
    "finish_reason": "Finished",
}


def _parameters(logged: LoggedRequest) -> dict[str, str]:
    given = logged.parameters if isinstance(logged.parameters, dict) else {}
    shown = {name: json.dumps(value, ensure_ascii=False) for name, value in given.items()}
    tools = [json.dumps(tool, sort_keys=True) for tool in logged.tools or []]
    return shown | ({"tools": f"{len(tools)} offered ({_hash_of(tools)})"} if tools else {})


def _hash_of(texts: Sequence[str]) -> str:
    """A few characters that differ where the texts do."""
    return sha256("\n".join(texts).encode("utf-8", "replace")).hexdigest()[:8]
