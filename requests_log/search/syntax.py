"""The query language's grammar: `model:a,b -status:ok cost:0.01..0.5 tag.route:x "some text"`.

    query   = { [ "-" ] ( term | text ) }
    term    = name [ "." key ] ":" ( list | "(" list ")" )
    list    = operand { ( "," | "OR" ) operand }        OR only between parentheses
    operand = [ ">=" | "<=" | ">" | "<" ] value | value "*" | [ value ] ".." [ value ]

A value with blanks, commas or parentheses stands in double quotes, in which a backslash protects a
quote or a backslash. What cannot be read becomes a `Problem` with its place in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from requests_log.search.tree import (
    EQUAL,
    PREFIX,
    RANGE,
    Operand,
    Problem,
    Query,
    Span,
    Term,
    Text,
)

MAX_CHARACTERS = 4_000
MAX_TERMS = 60
MAX_VALUES = 200

_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_HEAD = re.compile(r'([A-Za-z_]+)(?:\.("(?:[^"\\]|\\.)*"|[^\s:"]+))?:', re.DOTALL)
_OPERATOR = re.compile(r">=|<=|>|<")
_BLANKS = re.compile(r"\s*")
_WORD = re.compile(r"\S+")
_BARE = re.compile(r'[^\s,"][^\s,]*')
_BARE_INSIDE = re.compile(r'[^\s,()"][^\s,()]*')
_BETWEEN = re.compile(r"\s*,\s*|\s+OR\s+", re.IGNORECASE)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def parse(text: str) -> Query:
    """Read a query. Never raises: what cannot be read is told in `problems`."""
    if len(text) > MAX_CHARACTERS:
        where = Span(MAX_CHARACTERS, len(text))
        sentence = f"A query may have {MAX_CHARACTERS:,} characters. Shorten it."
        return Query((), (Problem(where, sentence),))
    terms: list[Term | Text] = []
    problems: list[Problem] = []
    for found in _scan(text):
        if isinstance(found, Problem):
            problems.append(found)
        elif found not in terms:
            terms.append(found)
    problems.extend(_too_many(terms))
    return Query(tuple(terms[:MAX_TERMS]), tuple(problems))


def _too_many(terms: list[Term | Text]) -> Iterator[Problem]:
    if len(terms) > MAX_TERMS:
        sentence = f"A query may have {MAX_TERMS} terms. Leave some out."
        yield Problem(terms[MAX_TERMS].span, sentence)
    for term in terms:
        if isinstance(term, Term) and len(term.operands) > MAX_VALUES:
            sentence = f"A list may have {MAX_VALUES} values. Leave some out."
            yield Problem(term.span, sentence)


def _scan(text: str) -> Iterator[Term | Text | Problem]:
    reader = _Reader(text)
    while not reader.is_done():
        start = reader.at
        try:
            yield reader.part()
        except _Unreadable as problem:
            reader.at = max(problem.end, start + 1)
            yield Problem(Span(start, reader.at), problem.sentence)


class _Unreadable(ValueError):
    """The part that begins here, up to `end`, cannot be read."""

    def __init__(self, end: int, sentence: str) -> None:
        super().__init__(sentence)
        self.end = end
        self.sentence = sentence


class _Reader:
    """Reads one part after the other, from `at` on."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.start = 0

    def is_done(self) -> bool:
        self._take(_BLANKS)
        return self.at >= len(self.text)

    def part(self) -> Term | Text:
        """A term or a text.

        Raises:
            _Unreadable: there is none.
        """
        self.start = self.at
        negated = self._skip("-")
        head = self._take(_HEAD)
        if head is None:
            return self._text(negated)
        operands = self._list() if self._skip("(") else self._row()
        key = _plain(head[2] or "")
        return Term(head[1].lower(), operands, key, negated, Span(self.start, self.at))

    def _text(self, negated: bool) -> Text:
        quoted = self._quoted()
        if quoted is not None:
            self._skip("*")
            return Text(quoted, negated, Span(self.start, self.at))
        word = self._take(_WORD)
        if word is None:
            sentence = "Write what to leave out behind the minus, without a blank between."
            raise _Unreadable(self.at, sentence)
        return Text(word[0], negated, Span(self.start, self.at))

    def _row(self) -> tuple[Operand, ...]:
        """Values with commas between."""
        found = [self._operand(_BARE)]
        while self._skip(","):
            found.append(self._operand(_BARE))
        return tuple(dict.fromkeys(found))

    def _list(self) -> tuple[Operand, ...]:
        """Values with commas or OR between, up to the closing parenthesis."""
        self._take(_BLANKS)
        found = [self._operand(_BARE_INSIDE)]
        while not self._closes():
            if self._take(_BETWEEN) is None:
                sentence = "Write OR or a comma between the values, and a ) behind the last."
                raise _Unreadable(self._end_of_list(), sentence)
            found.append(self._operand(_BARE_INSIDE))
        return tuple(dict.fromkeys(found))

    def _closes(self) -> bool:
        before = self.at
        self._take(_BLANKS)
        if self._skip(")"):
            return True
        self.at = before
        return False

    def _end_of_list(self) -> int:
        end = self.text.find(")", self.at)
        return len(self.text) if end < 0 else end + 1

    def _operand(self, bare: re.Pattern[str]) -> Operand:
        start = self.at
        operator = self._take(_OPERATOR)
        if operator is not None:
            compared = self._value(bare)
            if compared is None:
                raise self._missing_value()
            return Operand(compared[0], operator[0], span=Span(start, self.at))
        low = self._value(bare, stop=RANGE)
        if self._skip(RANGE):
            return self._range(low, bare, start)
        if low is None:
            raise self._missing_value()
        value, is_prefix = low
        return Operand(value, PREFIX if is_prefix else EQUAL, span=Span(start, self.at))

    def _range(self, low: tuple[str, bool] | None, bare: re.Pattern[str], start: int) -> Operand:
        first, last = _whole(low), _whole(self._value(bare))
        if not first and not last:
            sentence = "Write where the range begins or ends, such as 10..20, 10.. or ..20."
            raise _Unreadable(self.at, sentence)
        return Operand(first, RANGE, last, Span(start, self.at))

    def _value(self, bare: re.Pattern[str], stop: str = "") -> tuple[str, bool] | None:
        """A value, and whether an asterisk stands behind it; None where there is none."""
        quoted = self._quoted()
        if quoted is not None:
            return quoted, self._skip("*")
        found = bare.match(self.text, self.at)
        if found is None:
            return None
        value = found[0].partition(stop)[0] if stop else found[0]
        self.at += len(value)
        if not value:
            return None
        starts = bool(stop) and value.endswith("*")
        return (value[:-1] if starts else value), starts

    def _quoted(self) -> str | None:
        """A quoted value.

        Raises:
            _Unreadable: it is not closed.
        """
        if not self.text.startswith('"', self.at):
            return None
        found = self._take(_QUOTED)
        if found is None:
            raise _Unreadable(len(self.text), 'Close the quote with a second ".')
        return _plain(found[0])

    def _missing_value(self) -> _Unreadable:
        part = self.text[self.start : self.at]
        sentence = f"Write a value behind “{part}”, without a blank between."
        return _Unreadable(self.at, sentence)

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self.text, self.at)
        if found is not None:
            self.at = found.end()
        return found

    def _skip(self, sign: str) -> bool:
        if not self.text.startswith(sign, self.at):
            return False
        self.at += len(sign)
        return True


def _whole(side: tuple[str, bool] | None) -> str:
    """A side of a range, in which an asterisk has no meaning of its own."""
    if side is None:
        return ""
    value, starts = side
    return f"{value}*" if starts else value


def _plain(value: str) -> str:
    """The value without its quotes."""
    if len(value) < 2 or not value.startswith('"'):
        return value
    return _ESCAPED.sub(r"\1", value[1:-1])
