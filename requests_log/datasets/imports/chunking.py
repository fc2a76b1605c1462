"""Documents cut into pieces along their structure. Pure.

A document is Markdown: headings, and blocks (paragraphs, lists, tables, fenced code). Blocks of one
section go together until a piece is as large as wished; a section that is small joins the one
before it below the same parent. A block stays whole as long as it may; one that is too large by
itself is cut at lines, then at sentences, then anywhere.

Every span is a stretch of the text as it stands, and each begins where the one before it ends: put
together they are the text, so nothing is lost.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

LEAST_TOKENS, MOST_TOKENS = 50, 8_000
DEFAULT_TOKENS = 400
BELOW = " \N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK} "
PAGE_BREAK = "\f"
_HEADING = re.compile(r"(#{1,6})[ \t]+(.+?)[ \t#]*$")
_FENCE = re.compile(r"[ ]{0,3}(```+|~~~+)")
_LIST = re.compile(r"\s*([-*+\N{BULLET}]|\d{1,9}[.)])\s")
_SENTENCE = re.compile(r"(?<=[.!?\u3002\uff01\uff1f])\s+|(?<=[\u3002\uff01\uff1f])")
_WIDE = re.compile(r"[\u1100-\u11ff\u2e80-\ua4cf\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]")


@dataclass(frozen=True)
class Piece:
    """A piece of a document: the headings it stands below, its text, about how long it is."""

    title: str
    text: str
    tokens: int


@dataclass(frozen=True)
class Span:
    """Where a piece stands: characters from `start` up to `end`, below the headings of `path`."""

    start: int
    end: int
    path: tuple[str, ...] = ()


@dataclass(frozen=True)
class Block:
    """A part that is one thing: `kind` is heading, text, list, table or code."""

    start: int
    end: int
    kind: str


@dataclass(frozen=True)
class Sizes:
    """Tokens: a piece is filled up to `target`; one block alone, or with its heading, may have
    `most`."""

    target: int
    most: int


def about_tokens(text: str) -> int:
    """About how many tokens a text has: one for four characters, one for each of Chinese, Japanese
    and Korean script (OpenAI's rule of thumb; real tokenizers differ by a quarter or so)."""
    wide = 0 if text.isascii() else len(_WIDE.findall(text))
    return max(1, wide + round((len(text) - wide) / 4))


def pieces(markdown: str, *, tokens: int = DEFAULT_TOKENS) -> Iterator[Piece]:
    """The document in pieces of at most about so many tokens."""
    text = markdown.replace("\r\n", "\n").replace(PAGE_BREAK, "\n\n")
    for span in spans(text, Sizes(tokens, tokens)):
        found = text[span.start : span.end].strip()
        if found:
            yield Piece(BELOW.join(span.path), found, about_tokens(found))


def spans(text: str, sizes: Sizes) -> Iterator[Span]:
    """The text in spans; together they cover all of it."""
    held: Span | None = None
    for path, section in _sections(text):
        for span in _packed(text, section, sizes):
            found = replace(span, path=path)
            joined = _joined(text, held, found, sizes.target)
            if joined is None and held is not None:
                yield held
            held = joined or found
    if held is not None:
        yield held


def blocks(text: str) -> Iterator[Block]:
    """The parts of a text in order, each with the blank lines behind it; all of it is in one."""
    start, kind, fence, is_apart = 0, "", "", False
    for at, line in _lines(text):
        bare = line.strip()
        if fence:
            fence = _fence_after(fence, line)
            is_apart = not fence
        elif not bare:
            is_apart = True
        else:
            new = _kind(bare)
            if kind and _parts(kind, new, line, is_apart):
                yield Block(start, at, kind)
                start, kind = at, new
            kind, is_apart, fence = kind or new, False, _fence_after("", line)
    if text:
        yield Block(start, len(text), kind or "text")


def sizes(found: Sequence[int]) -> dict[str, int]:
    """How many pieces there are, and how large, for people."""
    if not found:
        return {"pieces": 0, "tokens": 0}
    return {
        "pieces": len(found),
        "tokens": sum(found),
        "shortest": min(found),
        "median": round(statistics.median(found)),
        "longest": max(found),
    }


def fitting(text: str, span: Span, most: int) -> Iterator[Span]:
    """The span in parts that have at most so many tokens: cut at lines, sentences, anywhere."""
    if _tokens(text, span.start, span.end) <= most:
        yield span
        return
    places = _line_ends(text, span) or _sentence_ends(text, span) or [_middle(text, span)]
    for start, end in pairwise([span.start, *places, span.end]):
        yield from fitting(text, Span(start, end, span.path), most)


def _joined(text: str, held: Span | None, found: Span, tokens: int) -> Span | None:
    """Both as one, if they stand below the same parent and one of them is small."""
    if held is None:
        return None
    small = min(_tokens(text, held.start, held.end), _tokens(text, found.start, found.end))
    parent = _parent(held.path, found.path)
    if small * 4 > tokens or parent is None or _tokens(text, held.start, found.end) > tokens:
        return None
    return Span(held.start, found.end, parent)


def _parent(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...] | None:
    """The headings that hold for both: the first one's, or their common parent's."""
    if second[: len(first)] == first:
        return first
    return first[:-1] if first[:-1] == second[:-1] and len(first) > 1 else None


def _sections(text: str) -> Iterator[tuple[tuple[str, ...], list[Block]]]:
    """A heading and what stands below it, with the path of headings."""
    above: list[tuple[int, str]] = []
    section: list[Block] = []
    for block in blocks(text):
        if block.kind == "heading":
            if section:
                yield tuple(title for _, title in above), section
            level, title = _heading(text[block.start : block.end].strip())
            above = [*(one for one in above if one[0] < level), (level, title)]
            section = []
        section.append(block)
    if section:
        yield tuple(title for _, title in above), section


def _heading(line: str) -> tuple[int, str]:
    """Its level, 1 to 6, and its words."""
    found = _HEADING.match(line)
    assert found is not None, "only headings are of the kind"  # noqa: S101 - a promise to ourselves
    return len(found[1]), found[2].strip()


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Each line with its end, and where it begins."""
    at = 0
    while at < len(text):
        end = text.find("\n", at) + 1 or len(text)
        yield at, text[at:end]
        at = end


def _kind(bare: str) -> str:
    if _HEADING.match(bare):
        return "heading"
    if _FENCE.match(bare):
        return "code"
    if bare.startswith("|"):
        return "table"
    return "list" if _LIST.match(f"{bare} ") else "text"


def _parts(kind: str, new: str, line: str, is_apart: bool) -> bool:
    """Whether a line begins another block. Blank lines between its items do not end a list."""
    if line.startswith(PAGE_BREAK) or "heading" in (kind, new) or new == "code":
        return True
    is_of_list = kind == "list" and (new == "list" or line.startswith(("  ", "\t")))
    return is_apart and not is_of_list


def _fence_after(fence: str, line: str) -> str:
    """The mark of the fence that is open behind the line, if one is."""
    mark = _FENCE.match(line.lstrip(PAGE_BREAK))
    if mark is None:
        return fence
    if not fence:
        return mark[1]
    return "" if mark[1].startswith(fence) and not line.strip().strip(fence[0]) else fence


def _packed(text: str, section: Iterable[Block], sizes: Sizes) -> Iterator[Span]:
    """Blocks together, as long as they fit; no heading and no “as follows:” ends a piece if it can
    be helped."""
    held: Span | None = None
    leads = False
    for block in section:
        for part in fitting(text, Span(block.start, block.end), sizes.most):
            most = sizes.most if leads else sizes.target
            if held is not None and _tokens(text, held.start, part.end) <= most:
                held = Span(held.start, part.end)
            else:
                if held is not None:
                    yield held
                held = part
            leads = block.kind == "heading" or text[part.start : part.end].rstrip().endswith(":")
    if held is not None:
        yield held


def _tokens(text: str, start: int, end: int) -> int:
    return about_tokens(text[start:end].strip())


def _line_ends(text: str, span: Span) -> list[int]:
    whole = (at + len(line) for at, line in _lines(text[span.start : span.end]))
    return [span.start + end for end in whole if span.start + end < span.end]


def _sentence_ends(text: str, span: Span) -> list[int]:
    found = (mark.end() for mark in _SENTENCE.finditer(text, span.start, span.end))
    return [place for place in found if span.start < place < span.end]


def _middle(text: str, span: Span) -> int:
    """At a space near the middle, if there is one."""
    half = (span.start + span.end) // 2
    blank = text.rfind(" ", span.start + (half - span.start) // 2, half + 1)
    return half if blank < 0 else blank + 1
