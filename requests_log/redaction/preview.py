"""What a policy would change, shown without storing anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from requests_log import bodies
from requests_log.models import LoggedRequest, body_of
from requests_log.redaction.engine import (
    Edit,
    Withheld,
    Work,
    edits_of_body,
    edits_of_text,
    redacted_body,
)
from requests_log.redaction.escapes import plain
from requests_log.redaction.items import WITHHELD_BODY
from requests_log.redaction.rules import Place, Ruleset
from workbench.core.errors import InvalidInput
from workbench.core.models import Project

LONGEST_SAMPLE = 200_000
MOST_CALLS = 50
MOST_BYTES = 8 << 20
MOST_SHOWN = 20
CONTEXT = 60
"""Characters shown on either side of a find in a call."""


_Content = tuple[Place, str, bytes, Callable[[bytes, Work], list[Edit]]]


@dataclass(frozen=True)
class Piece:
    """A stretch of text: as it is, or, with the name of a rule, as it is and as it would be."""

    before: str
    after: str = ""
    rule: str = ""


@dataclass(frozen=True)
class Part:
    """One part of a call in which something would change."""

    name: str
    pieces: list[Piece]
    more: int = 0


@dataclass
class PreviewedCall:
    """A logged call and what of it would change."""

    logged: LoggedRequest
    parts: list[Part]


@dataclass
class Preview:
    """What a policy would do to a sample or to calls."""

    counts: Counter[str] = field(default_factory=Counter)
    pieces: list[Piece] = field(default_factory=list)
    after: str = ""
    calls: list[PreviewedCall] = field(default_factory=list)
    looked_at: int = 0
    withheld: int = 0

    @property
    def by_rule(self) -> list[tuple[str, int]]:
        """The rules that found something, the busiest first."""
        return self.counts.most_common()

    @property
    def total(self) -> int:
        return self.counts.total()


def preview_text(text: str, ruleset: Ruleset) -> Preview:
    """The policy applied to a pasted sample: JSON or any text.

    Raises:
        InvalidInput: the sample is too long.
    """
    if len(text) > LONGEST_SAMPLE:
        raise InvalidInput(f"Paste up to {LONGEST_SAMPLE:,} characters to try a policy on.")
    raw = text.encode("utf-8", "replace")
    work = Work(ruleset)
    try:
        pieces = list(_pieces(raw, edits_of_body(raw, work), work))
        after = redacted_body(raw, work).decode("utf-8", "replace")
    except Withheld:
        return Preview(after=WITHHELD_BODY.decode(), looked_at=1, withheld=1)
    return Preview(counts=work.counts, pieces=pieces, after=after, looked_at=1)


def preview_calls(project: Project, ruleset: Ruleset, *, many: int) -> Preview:
    """The policy applied to the newest calls of the project; only what would change is shown.

    Raises:
        InvalidInput: too many calls are asked for.
    """
    if not 1 <= many <= MOST_CALLS:
        raise InvalidInput(f"Look at 1 to {MOST_CALLS} calls.")
    preview, left = Preview(), MOST_BYTES
    newest = LoggedRequest.objects.in_project(project).for_list().newest_first()
    for logged in newest[:many]:
        left -= logged.request_size + (logged.response_size or 0)
        if left < 0 and preview.looked_at:
            break
        preview.looked_at += 1
        parts = list(_parts(project, logged, ruleset, preview))
        if parts:
            preview.calls.append(PreviewedCall(logged, parts))
    return preview


def _parts(
    project: Project, logged: LoggedRequest, ruleset: Ruleset, preview: Preview
) -> Iterator[Part]:
    work = Work(ruleset)
    for place, name, raw, edits_of in _contents(project, logged):
        if place not in ruleset.places:
            continue
        try:
            edits = edits_of(raw, work)
        except Withheld:
            preview.withheld += 1
            continue
        if edits:
            preview.counts.update(ruleset.rules[edit.rule].name for edit in edits)
            shown = edits[:MOST_SHOWN]
            until = shown[-1].end + 4 * CONTEXT if len(edits) > len(shown) else len(raw)
            pieces = [_short(piece) for piece in _pieces(raw[:until], shown, work)]
            yield Part(name, pieces, len(edits) - len(shown))


def _contents(project: Project, logged: LoggedRequest) -> Iterator[_Content]:
    body = body_of(project, logged.id)
    if body is not None:
        kept = bodies.read(body)
        for place, raw in (
            (Place.REQUEST, kept.request),
            (Place.RESPONSE, kept.response),
            (Place.VARIABLES, kept.variables),
        ):
            if raw is not None:
                yield place, place.value, raw, edits_of_body
    for place, name, text in (
        (Place.USER, "user", logged.end_user),
        (Place.SESSION, "session", logged.session),
        (Place.ERRORS, "error", logged.error_message),
    ):
        if text:
            yield place, name, text.encode(), edits_of_text
    for name, value in logged.tags.items():
        yield Place.TAGS, f"tag {name}", value.encode(), edits_of_text


def _pieces(raw: bytes, edits: list[Edit], work: Work) -> Iterator[Piece]:
    at = 0
    for edit in edits:
        if edit.start > at:
            yield Piece(_read(raw[at : edit.start]))
        found = raw[edit.start : edit.end]
        written = work.ruleset.written(edit.rule, plain(found))
        yield Piece(_read(found), _read(written), work.ruleset.rules[edit.rule].name)
        at = edit.end
    if at < len(raw):
        yield Piece(_read(raw[at:]))


def _short(piece: Piece) -> Piece:
    """A stretch that stays, without its middle."""
    if piece.rule or len(piece.before) <= 2 * CONTEXT + 10:
        return piece
    return Piece(f"{piece.before[:CONTEXT]} … {piece.before[-CONTEXT:]}")


def _read(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
