"""Documents cut into pieces along their structure. Pure.

A document is Markdown: headings, and blocks between blank lines (paragraphs, lists, tables, fenced
code). Blocks of one section go together until a piece is as large as wished; a section that is
small joins the one before it below the same parent. A block that is too large by itself is cut at
lines, then at sentences, then anywhere.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

LEAST_TOKENS, MOST_TOKENS = 50, 8_000
DEFAULT_TOKENS = 400
BELOW = " \N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK} "
_HEADING = re.compile(r"(#{1,6})[ \t]+(.+?)[ \t#]*$")
_FENCE = re.compile(r"[ ]{0,3}(```+|~~~+)")
_SENTENCE = re.compile(r"(?<=[.!?\u3002\uff01\uff1f])\s+|(?<=[\u3002\uff01\uff1f])")
_WIDE = re.compile(r"[\u1100-\u11ff\u2e80-\ua4cf\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]")


@dataclass(frozen=True)
class Piece:
    """A piece of a document: the headings it stands below, its text, about how long it is."""

    title: str
    text: str
    tokens: int


@dataclass
class _Section:
    path: tuple[str, ...]
    blocks: list[str] = field(default_factory=list)


def about_tokens(text: str) -> int:
    """About how many tokens a text has: one for four characters, one for each of Chinese, Japanese
    and Korean script (OpenAI's rule of thumb; real tokenizers differ by a quarter or so)."""
    wide = 0 if text.isascii() else len(_WIDE.findall(text))
    return max(1, wide + round((len(text) - wide) / 4))


def pieces(markdown: str, *, tokens: int = DEFAULT_TOKENS) -> Iterator[Piece]:
    """The document in pieces of at most about so many tokens."""
    held: Piece | None = None
    for section in _sections(markdown):
        for text in _packed(section.blocks, tokens):
            piece = Piece(BELOW.join(section.path), text, about_tokens(text))
            joined = _joined(held, piece, tokens)
            if joined is None and held is not None:
                yield held
            held = joined or piece
    if held is not None:
        yield held


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


def _joined(held: Piece | None, piece: Piece, tokens: int) -> Piece | None:
    """Both as one, if they stand below the same parent and one of them is small."""
    if held is None or min(held.tokens, piece.tokens) * 4 > tokens:
        return None
    text = f"{held.text}\n\n{piece.text}"
    parent = _parent(held.title, piece.title)
    if parent is None or about_tokens(text) > tokens:
        return None
    return Piece(parent, text, about_tokens(text))


def _parent(before: str, after: str) -> str | None:
    """The title that holds for both: the first one's, or their common parent's."""
    first, second = before.split(BELOW), after.split(BELOW)
    if second[: len(first)] == first:
        return before
    return BELOW.join(first[:-1]) if first[:-1] == second[:-1] and len(first) > 1 else None


def _sections(markdown: str) -> Iterator[_Section]:
    section, lines, fence = _Section(()), list[str](), ""
    for line in markdown.replace("\r\n", "\n").replace("\f", "\n\n").split("\n"):
        heading = None if fence else _HEADING.match(line)
        fence = _fence_after(fence, line)
        if heading:
            yield _Section(section.path, list(_blocks(lines)))
            level = len(heading[1])
            section, lines = _Section((*section.path[: level - 1], heading[2].strip())), [line]
        else:
            lines.append(line)
    yield _Section(section.path, list(_blocks(lines)))


def _blocks(lines: Iterable[str]) -> Iterator[str]:
    """What stands between blank lines; fenced code stays whole."""
    block: list[str] = []
    fence = ""
    for line in lines:
        if not line.strip() and not fence:
            if block:
                yield "\n".join(block)
            block = []
            continue
        fence = _fence_after(fence, line)
        block.append(line.rstrip())
    if block:
        yield "\n".join(block)


def _fence_after(fence: str, line: str) -> str:
    """The mark of the fence that is open behind the line, if one is."""
    mark = _FENCE.match(line)
    if mark is None:
        return fence
    if not fence:
        return mark[1]
    return "" if mark[1].startswith(fence) and not line.strip().strip(fence[0]) else fence


def _packed(blocks: Sequence[str], tokens: int) -> Iterator[str]:
    """Blocks together, as long as they fit; a heading never ends a piece if it can be helped."""
    return _together([part for block in blocks for part in _cut(block, tokens)], "\n\n", tokens)


def _together(parts: Sequence[str], glue: str, tokens: int) -> Iterator[str]:
    held = ""
    for part in parts:
        longer = f"{held}{glue}{part}" if held else part
        if held and about_tokens(longer) > tokens:
            yield held
            longer = part
        held = longer
    if held:
        yield held


def _cut(block: str, tokens: int) -> list[str]:
    """A block in parts that fit."""
    if about_tokens(block) <= tokens:
        return [block]
    for glue, parts in (("\n", block.split("\n")), (" ", _SENTENCE.split(block))):
        if len(parts) > 1:
            fitting = [piece for part in parts for piece in _cut(part, tokens)]
            return list(_together(fitting, glue, tokens))
    half = len(block) // 2
    blank = block.rfind(" ", half // 2, half + 1)
    at = half if blank < 0 else blank + 1
    return [*_cut(block[:at], tokens), *_cut(block[at:], tokens)]
