"""Pairs written as text: `**Q1:** … **A1:** …` in its many variants. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from evals.documents.reading.found import (
    CUT_OFF,
    NO_QUESTION,
    Dropped,
    Pair,
    Read,
    gathered,
    paired,
)

_Q = (
    r"question|frage|pregunta|pergunta|domanda|вопрос|问题|問題|质问|質問|问|問|질문"
    r"|سؤال|שאלה|प्रश्न|q"
)
_A = (
    r"answer|antwort|r[ée]ponse|respuesta|resposta|risposta|ответ|答案|回答|答|답변|답"
    r"|جواب|الجواب|תשובה|उत्तर|a"
)
_WORD = rf"(?:(?P<q>{_Q})|(?P<a>{_A}))"
_NUMBER = r"[ \t_#.]{0,2}(?P<n>\d{1,4})?"
_MARK = r"(?:\*\*|__|\*|_)?"
_LEAD = r"(?:(?:>|#{1,6}|[-*+\u2022]|\(?\d{1,4}[.)])[ \t]+)*"
_BOLD_LEAD = rf"{_MARK}(?:\d{{1,4}}[.)][ \t]+)?"
# At the start of a line: “Q:”, “**Q1:**”, “1. Q -”, “### Question 3”.
_AT_START = re.compile(
    rf"^[ \t]*{_LEAD}{_BOLD_LEAD}{_WORD}{_NUMBER}[ \t]*"
    rf"(?:{_MARK}[ \t]*[:\uff1a][ \t]*(?P<close>{_MARK})"
    rf"|(?<=\d){_MARK}[ \t]*(?:[.)\u2013\u2014]|-)(?:[ \t]+|$){_MARK}"
    rf"|{_MARK}[ \t]*$)",
    re.IGNORECASE | re.MULTILINE,
)
# Within a line only what cannot be meant otherwise: in bold, with a colon.
_INLINE = re.compile(
    rf"(?<=\s)\*\*{_WORD}{_NUMBER}(?:[ \t]*[:\uff1a]\*\*|\*\*[ \t]*[:\uff1a])", re.IGNORECASE
)
# The answer of the question in the same line: “Q1: … A1: …”.
_SAME_LINE = re.compile(r"(?<=\s)A(?P<n>\d{1,4})[:\uff1a](?=\s)", re.IGNORECASE)
_FENCE = re.compile(r"^[ \t]*(```+|~~~+)[^\n`]*$", re.MULTILINE)
_RULES = re.compile(r"(?:\n[ \t]*(?:-{3,}|\*{3,}|_{3,}|={3,})[ \t]*)+\s*$")


@dataclass(frozen=True)
class _Marker:
    start: int
    end: int
    is_question: bool
    number: str


@dataclass
class _Turns:
    """Markers taken in their order; what stands between them becomes pairs."""

    text: str
    found: list[Pair | Dropped] = field(default_factory=list)
    question: str | None = None
    asked: _Marker | None = None
    answering: _Marker | None = None
    number: str = ""
    are_numbered: bool | None = None

    def take(self, marker: _Marker) -> None:
        if self.are_numbered is None and marker.is_question:
            self.are_numbered = bool(marker.number)
        if self._is_only_text(marker):
            return
        self._close(marker.start)
        if marker.is_question:
            self.asked, self.number = marker, marker.number
            return
        if self.question is not None and marker.number not in ("", self.number or marker.number):
            self._drop_question()  # Q1 and A2 are two halves
        self.answering = marker

    def finish(self, *, was_cut: bool) -> None:
        self._close(len(self.text))
        if self.question is not None:
            self._drop_question()
        if was_cut and self.found and isinstance(last := self.found[-1], Pair):
            self.found[-1] = Dropped(CUT_OFF, f"{last.question} {last.answer}"[:300])

    def _is_only_text(self, marker: _Marker) -> bool:
        """Inside an answer: another “A:”, or a “Q:” without a number where all have one."""
        if self.answering is None:
            return False
        if marker.is_question:
            return bool(self.are_numbered) and not marker.number
        return marker.number in ("", self.answering.number)

    def _close(self, end: int) -> None:
        """End the turn that is open."""
        if self.answering is not None:
            said = _tidy(self.text[self.answering.end : end])
            question, self.question, self.answering = self.question, None, None
            self.found.append(
                paired(question, said) if question else Dropped(NO_QUESTION, said[:300])
            )
        elif self.asked is not None:
            if self.question is not None:
                self._drop_question()
            self.question = _tidy(self.text[self.asked.end : end])
            self.asked = None

    def _drop_question(self) -> None:
        self.found.append(paired(self.question or "", ""))
        self.question = None


def read_turns(text: str, *, was_cut: bool = False) -> Read:
    """The pairs of a text in which questions and answers are marked."""
    text = _unwrapped(text)
    fences = _fenced(text)
    markers = [m for m in _markers(text) if not any(a <= m.start < b for a, b in fences)]
    if not any(marker.is_question for marker in markers):
        return Read()
    turns = _Turns(text)
    for marker in markers:
        turns.take(marker)
    turns.finish(was_cut=was_cut)
    return gathered(turns.found, markers[0].start)


def _markers(text: str) -> list[_Marker]:
    found = [_marker(mark) for mark in _AT_START.finditer(text) if not _is_a_letter(mark)]
    taken = {place for one in found for place in range(one.start, one.end)}
    found += [_marker(mark) for mark in _INLINE.finditer(text) if mark.start() not in taken]
    return [*_with_same_line(text, sorted(found, key=lambda one: one.start))]


def _with_same_line(text: str, ordered: list[_Marker]) -> Iterator[_Marker]:
    for place, marker in enumerate(ordered):
        yield marker
        if not marker.is_question or not marker.number:
            continue
        following = ordered[place + 1].start if place + 1 < len(ordered) else len(text)
        line = text.find("\n", marker.end)
        end = min(following, len(text) if line < 0 else line)
        for mark in _SAME_LINE.finditer(text, marker.end, end):
            if mark["n"] == marker.number:
                yield _Marker(mark.start(), mark.end(), is_question=False, number=mark["n"])
                break


def _is_a_letter(mark: re.Match[str]) -> bool:
    """A line of one letter, such as the label of a drawing."""
    return len(mark[0].strip()) == 1


def _marker(mark: re.Match[str]) -> _Marker:
    return _Marker(mark.start(), mark.end(), mark["q"] is not None, mark["n"] or "")


def _fenced(text: str) -> list[tuple[int, int]]:
    """Where fenced code stands; a fence that nobody closes is none."""
    spans: list[tuple[int, int]] = []
    opened: re.Match[str] | None = None
    for mark in _FENCE.finditer(text):
        if opened is None:
            opened = mark
        elif mark[1].startswith(opened[1]) and not mark[0].strip().strip(opened[1][0]):
            spans.append((opened.start(), mark.end()))
            opened = None
    return spans


def _unwrapped(text: str) -> str:
    """Without the one fence around all of it, if a model put it there."""
    first, marker = _FENCE.search(text), _AT_START.search(text)
    if first is None or marker is None or first.start() > marker.start():
        return text
    if any(a <= first.start() and b <= marker.start() for a, b in _fenced(text)):
        return text
    inner = " " * first.end() + text[first.end() :]
    closings = [m for m in _FENCE.finditer(inner) if m[0].strip() == first[1]]
    if closings and not inner[closings[-1].end() :].strip():
        return inner[: closings[-1].start()]
    return inner


def _tidy(text: str) -> str:
    """Without the space around, rules at the end, and halves of bold type."""
    text = _RULES.sub("", f"\n{text}").strip()
    if text.count("**") % 2:
        text = text.removesuffix("**") if text.endswith("**") else text.replace("**", "", 1)
    return text.strip()
