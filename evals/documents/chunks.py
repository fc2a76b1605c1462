"""Documents cut into chunks that know where they stand. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from requests_log.datasets.imports.chunking import (
    BELOW,
    PAGE_BREAK,
    Sizes,
    Span,
    about_tokens,
    fitting,
    spans,
)

LEAST_TARGET, MOST_TARGET = 50, 4_000
MOST_SIZE, MOST_OVERLAP = 8_000, 400
_BEGINS = re.compile(r"\n|(?<=[.!?])\s+|(?<=[\u3002\uff01\uff1f])")


@dataclass(frozen=True)
class Cutting:
    """How a document is cut, in tokens: chunks are filled up to `target`, and what belongs together
    (a list, a table, code) may have `most`; `overlap` of the text before is shown with a chunk."""

    target: int = 400
    most: int = 800
    overlap: int = 40

    @property
    def sizes(self) -> Sizes:
        return Sizes(self.target, max(self.target, self.most))


@dataclass(frozen=True)
class Chunk:
    """A stretch of a document: characters from `start` up to `end` of its text.

    `text` is what stands there, without the space around it; `before` the end of what stands in
    front of it, `path` the headings above it, `page` its first page (None where there are none).
    """

    start: int
    end: int
    text: str
    path: tuple[str, ...] = ()
    page: int | None = None
    before: str = ""

    @property
    def title(self) -> str:
        return BELOW.join(self.path)

    @property
    def tokens(self) -> int:
        return about_tokens(self.text)


def cut(text: str, cutting: Cutting) -> list[Chunk]:
    """The document along its structure; together the chunks cover all of it."""
    return list(chunks_of(text, spans(text, cutting.sizes), cutting))


def chunks_of(text: str, found: Iterable[Span], cutting: Cutting) -> Iterator[Chunk]:
    """The chunks at these spans. One without words goes with the one before it (or after it)."""
    pages = [-1, *(mark.start() for mark in re.finditer(PAGE_BREAK, text))]
    has_pages = len(pages) > 1
    for span in _with_words(text, list(found)):
        first = (
            span.start
            + len(text[span.start : span.end])
            - len(text[span.start : span.end].lstrip())
        )
        yield Chunk(
            span.start,
            span.end,
            shown(text[span.start : span.end]),
            span.path,
            sum(place < first for place in pages) if has_pages else None,
            _before(text, span.start, cutting.overlap),
        )


def shown(text: str) -> str:
    """The text without the space around it, and without marks of pages."""
    return text.replace(PAGE_BREAK, "\n").strip()


def covers(text: str, found: Iterable[Span | Chunk]) -> bool:
    """Whether the spans, put together, are the text: nothing lost, nothing twice."""
    places = list(found)
    if not places:
        return not text.strip()
    follows = all(one.end == other.start for one, other in pairwise(places))
    return follows and places[0].start == 0 and places[-1].end == len(text)


def too_large(text: str, found: Iterable[Span], most: int) -> Iterator[Span]:
    """The spans, those that have more than `most` tokens cut."""
    for span in found:
        yield from fitting(text, span, most)


def _with_words(text: str, found: list[Span]) -> list[Span]:
    kept: list[Span] = []
    for span in found:
        if kept and not (shown(text[span.start : span.end]) and shown(_of(text, kept[-1]))):
            last = kept.pop()
            path = last.path if shown(_of(text, last)) else span.path
            span = Span(last.start, span.end, path)
        kept.append(span)
    return kept if any(shown(_of(text, span)) for span in kept) else []


def _of(text: str, span: Span) -> str:
    return text[span.start : span.end]


def _before(text: str, start: int, tokens: int) -> str:
    """The last sentences in front of a place that have at most so many tokens together."""
    if not tokens or not start:
        return ""
    first = max(0, start - tokens * 4)
    places = [0] if first == 0 else []
    places += [mark.end() - first for mark in _BEGINS.finditer(text, first, start)]
    for place in places:
        found = shown(text[first + place : start])
        if found and about_tokens(found) <= tokens:
            return found
    return ""
