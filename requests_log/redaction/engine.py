r"""Redacting bytes: JSON stays JSON, and nothing changes but what a rule finds.

In a JSON document only the inside of texts is looked at, read through its escapes; a find is cut
out of the very bytes that were sent, so that everything around it stays as it was. A text that
holds a JSON document of its own (the arguments of a tool call, say) is treated as that document.
What is no JSON is treated as text. It is repeated until nothing more is found, so that applying a
policy again changes nothing.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import msgspec

from requests_log.redaction.escapes import (
    MOST_LEVELS,
    Span,
    View,
    plain,
    text_of_token,
    unescaped,
    whole_characters,
)
from requests_log.redaction.rules import MOST_BYTES, Replacement, Ruleset

_text_token = re.compile(rb'"((?:[^"\\]++|\\.)*+)"(?:[ \t\r\n]*+(:))?', re.DOTALL)
_number = rb"-?\d++(?:\.\d++)?(?:[eE][+-]?\d++)?(?![\w.+-])"
_lexical = re.compile(
    rb'(?:"(?:[^"\\]++|\\.)*+"|[ \t\r\n{}\[\],:]++|' + _number + rb"|true|false|null|NaN"
    rb"|-?Infinity)*+",
    re.DOTALL,
)
MOST_SECONDS = 5.0
"""Seconds of processor time for one call; a body of 20 MiB takes about one."""
MOST_PASSES = 10
LONG_TEXT = 16 << 10
MOST_STEPS = 4_000_000_000
"""Instructions times bytes of one search, which cannot be broken off: half a minute at worst."""


class Withheld(Exception):
    """Redacting did not come to an end within its bounds; the content must not be kept."""


class Budget:
    """Processor time that is left for one call."""

    def __init__(self, seconds: float = MOST_SECONDS) -> None:
        self._end = time.thread_time() + seconds

    def check(self) -> None:
        """Raises Withheld: the time is used up."""
        if time.thread_time() > self._end:
            raise Withheld("it took too long")


@dataclass(frozen=True, slots=True)
class Edit:
    """Bytes to cut out, and the rule that says so (its place in the ruleset)."""

    start: int
    end: int
    rule: int


@dataclass(slots=True)
class Work:
    """One policy at work on one call: what it may cost, and what it has found."""

    ruleset: Ruleset
    budget: Budget = field(default_factory=Budget)
    counts: Counter[str] = field(default_factory=Counter)


_EditsOf = Callable[[bytes, Work], list[Edit]]


def redacted_body(raw: bytes, work: Work) -> bytes:
    """A body with everything found replaced.

    Raises:
        Withheld: it is too long, or took too long.
    """
    return _repeated(raw, work, edits_of_body, None)


def redacted_text(text: str, work: Work, *, force: Replacement | None = None) -> str:
    """A text with everything found replaced; `force` overrules how.

    Raises:
        Withheld: it is too long, or took too long.
    """
    raw = text.encode("utf-8", "surrogatepass")
    done = _repeated(raw, work, edits_of_text, force)
    return text if done is raw else done.decode("utf-8", "surrogatepass")


def edits_of_body(raw: bytes, work: Work) -> list[Edit]:
    """What to cut out of a body, once, in order and without overlaps."""
    if not is_json(raw):
        return edits_of_text(raw, work)
    if raw.lstrip()[:1] in {b"{", b"[", b'"'}:
        return _merged(_in_document(raw, work, MOST_LEVELS))
    return []  # a number, true, false or null


def edits_of_text(raw: bytes, work: Work) -> list[Edit]:
    """The same for a text."""
    return _merged(_in_text(raw, work, MOST_LEVELS))


def is_json(raw: bytes) -> bool:
    """Whether it is JSON, also with what strict parsers refuse: NaN, lone surrogates."""
    try:
        msgspec.json.decode(raw, type=msgspec.Raw)
    except RecursionError:
        return _lexical.fullmatch(raw) is not None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _is_loosely_json(raw)
    return True


def _is_loosely_json(raw: bytes) -> bool:
    if raw.lstrip()[:1] not in {b"{", b"[", b'"'}:
        return raw.strip() in {b"NaN", b"Infinity", b"-Infinity"}
    try:
        json.loads(raw.decode("utf-8", "replace"), strict=False, parse_int=str)
    except RecursionError:
        return _lexical.fullmatch(raw) is not None
    except ValueError:
        return False
    return True


def _repeated(raw: bytes, work: Work, edits_of: _EditsOf, force: Replacement | None) -> bytes:
    if len(raw) > MOST_BYTES:
        raise Withheld("it is too long")
    for _ in range(MOST_PASSES):
        edits = edits_of(raw, work)
        if not edits:
            return raw
        raw = _cut(raw, edits, work, force)
    raise Withheld("what was written instead was found again and again")


def _cut(raw: bytes, edits: list[Edit], work: Work, force: Replacement | None) -> bytes:
    pieces, at = [], 0
    for edit in edits:
        value = plain(raw[edit.start : edit.end])
        pieces += [raw[at : edit.start], work.ruleset.written(edit.rule, value, force)]
        work.counts[work.ruleset.rules[edit.rule].name] += 1
        at = edit.end
    return b"".join([*pieces, raw[at:]])


def _in_document(raw: bytes, work: Work, levels: int) -> Iterator[Edit]:
    for seen, found in enumerate(_text_token.finditer(raw)):
        if seen & 63 == 0:
            work.budget.check()
        if found[2] is not None and not work.ruleset.keys:
            continue
        start, end = found.span(1)
        if end - start < work.ruleset.shortest:
            continue
        for edit in _in_token(raw[start:end], work, levels):
            yield Edit(start + edit.start, start + edit.end, edit.rule)


def _in_token(content: bytes, work: Work, levels: int) -> Iterator[Edit]:
    """Edits inside of a JSON text, whose escapes are read."""
    if b"\\" not in content:
        return _in_text(content, work, levels)
    found = list(_in_text(text_of_token(content), work, levels - 1))
    return _moved(iter(found), unescaped(content)) if found else iter(())


def _in_text(text: bytes, work: Work, levels: int) -> Iterator[Edit]:
    if levels > 0 and text[:1] in {b"{", b"["} and is_json(text):
        return _in_document(text, work, levels - 1)
    return _in_plain_text(text, work, levels)


def _in_plain_text(text: bytes, work: Work, levels: int) -> Iterator[Edit]:
    """Edits in a text as it stands, and as it reads when its escapes are read too."""
    yield from _searched(text, work)
    if levels > 0 and b"\\" in text:
        view = unescaped(text)
        if len(view.text) != len(text):
            yield from _moved(_in_text(view.text, work, levels - 1), view)


def _moved(edits: Iterator[Edit], view: View) -> Iterator[Edit]:
    for edit in edits:
        start, end = view.origin((edit.start, edit.end))
        yield Edit(start, end, edit.rule)


def _searched(text: bytes, work: Work) -> Iterator[Edit]:
    """What the rules find; not in what a policy wrote."""
    written: list[Span] | None = None
    digits = len(text) - len(text.translate(None, b"0123456789"))
    for index, rule in enumerate(work.ruleset.rules):
        if len(text) < rule.shortest or digits < rule.digits:
            continue
        if len(text) > LONG_TEXT:
            work.budget.check()
            if rule.steps * len(text) > MOST_STEPS:
                raise Withheld("a text is too long for a large pattern")
        for found in rule.find(text):
            if written is None:
                written = [marker.span() for marker in work.ruleset.markers.finditer(text)]
            span = _beyond(whole_characters(text, found), written)
            if span is not None:
                yield Edit(*span, index)


def _beyond(found: Span, written: list[Span]) -> Span | None:
    """The find with the markers it touches; None when it lies in them."""
    start, end = found
    touched = [marker for marker in written if marker[0] < end and start < marker[1]]
    if not touched:
        return found
    free = end - start
    for first, last in touched:
        free -= min(end, last) - max(start, first)
        start, end = min(start, first), max(end, last)
    return (start, end) if free > 0 else None


def _merged(edits: Iterator[Edit]) -> list[Edit]:
    """In order; what overlaps becomes one, named by the longest, or the rule that wins."""
    merged: list[Edit] = []
    ordered = sorted(edits, key=lambda edit: (edit.start, edit.start - edit.end, edit.rule))
    for edit in ordered:
        if merged and edit.start < merged[-1].end:
            last = merged[-1]
            longer = edit if edit.end - edit.start > last.end - last.start else last
            merged[-1] = Edit(last.start, max(last.end, edit.end), longer.rule)
        else:
            merged.append(edit)
    return merged
