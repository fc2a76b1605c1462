"""A policy as people write it, and as it is applied.

`Rules` is the document kept with every version of a policy. `compiled` makes the `Ruleset` that
the engine works with. User patterns run on RE2 only, whose time grows with the text and nothing
else, so what RE2 cannot do (back-references, look-around) is refused with words that say so.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

import msgspec
import re2  # type: ignore[import-untyped]
from django.conf import settings
from msgspec import Struct

from requests_log.redaction.detectors import DETECTORS, Detector
from requests_log.redaction.escapes import Span
from workbench.core.errors import InvalidInput

MOST_PATTERNS = 100
LONGEST_PATTERN = 1_000
LARGEST_PROGRAM = 5_000
"""RE2 instructions of one user pattern; `\\p{L}` alone takes 1,200."""
HASH_DIGITS = 16
MOST_BYTES = 32 << 20
"""Bytes of the longest body that is looked through."""
_LABEL = re.compile(r"[A-Z][A-Z0-9_]{0,39}")
_PROBES = ("", "a", "A b", "1-2", "\n", ".", "\N{LATIN SMALL LETTER E WITH ACUTE}x")
_OPTIONS = re2.Options()
_OPTIONS.log_errors = False


class Replacement(StrEnum):
    """What is written in the place of a find."""

    LABEL = "label"
    HASH = "hash"
    DROP = "drop"


class Place(StrEnum):
    """What a policy looks through."""

    REQUEST = "request"
    RESPONSE = "response"
    VARIABLES = "variables"
    USER = "user"
    SESSION = "session"
    TAGS = "tags"
    ERRORS = "errors"
    SPAN_INPUT = "span_input"
    SPAN_OUTPUT = "span_output"
    SPAN_ATTRIBUTES = "span_attributes"
    COMMENTS = "comments"
    NAMES = "names"


PLACE_TITLES = {
    Place.REQUEST: "Request bodies",
    Place.RESPONSE: "Response bodies",
    Place.VARIABLES: "Prompt variables",
    Place.USER: "User ids",
    Place.SESSION: "Session ids",
    Place.TAGS: "Tag values",
    Place.ERRORS: "Error messages",
    Place.SPAN_INPUT: "Span inputs",
    Place.SPAN_OUTPUT: "Span outputs",
    Place.SPAN_ATTRIBUTES: "Span attributes",
    Place.COMMENTS: "Score comments and text values",
    Place.NAMES: "Names of models, prompts, spans, scores, authors, releases and the like",
}


class Pattern(Struct, frozen=True, forbid_unknown_fields=True):
    """One pattern of a user: RE2 syntax, and the label written in the place of its finds."""

    name: str
    pattern: str
    label: str
    replacement: Replacement = Replacement.LABEL
    on: bool = True


class Rules(Struct, frozen=True, forbid_unknown_fields=True):
    """What one version of a policy does. `keys`: names in JSON objects and tags are read too."""

    detectors: dict[str, Replacement] = {}
    patterns: list[Pattern] = []
    places: list[Place] = msgspec.field(default_factory=lambda: list(Place))
    keys: bool = False


@dataclass(frozen=True)
class Rule:
    """One thing to look for and what to write instead.

    Texts of fewer than `shortest` bytes or `digits` digits need not be searched.
    """

    name: str
    label: str
    replacement: Replacement
    find: Callable[[bytes], Iterator[Span]]
    shortest: int = 1
    digits: int = 0
    steps: int = 0
    """RE2 instructions of a user's pattern, each of which may be run at every byte at worst."""


@dataclass(frozen=True)
class Ruleset:
    """A policy ready to be applied: version `number`, rules in the order in which they win."""

    number: int
    rules: tuple[Rule, ...]
    places: frozenset[Place]
    keys: bool
    markers: re.Pattern[bytes]
    hash_key: bytes

    @cached_property
    def steps(self) -> int:
        """Instructions of all user patterns."""
        return sum(rule.steps for rule in self.rules)

    @cached_property
    def shortest(self) -> int:
        """Bytes below which a text holds nothing that any rule finds."""
        return min((rule.shortest for rule in self.rules), default=MOST_BYTES)

    def written(self, index: int, value: bytes, replacement: Replacement | None = None) -> bytes:
        """What takes the place of a value: never a quote, a backslash or a control character."""
        rule = self.rules[index]
        chosen = replacement or rule.replacement
        if chosen is Replacement.DROP:
            return b""
        if chosen is Replacement.LABEL:
            return b"[%s]" % rule.label.encode()
        digest = hmac.new(self.hash_key, rule.label.encode() + b"\0" + value, hashlib.sha256)
        return f"[{rule.label}_{digest.hexdigest()[:HASH_DIGITS]}]".encode()


def read_rules(document: object) -> Rules:
    """The rules in a document, checked.

    Raises:
        InvalidInput: the sentence names what is wrong and what may stand there.
    """
    try:
        rules = msgspec.convert(document, Rules)
    except msgspec.ValidationError as problem:
        raise InvalidInput(f"The rules cannot be read: {problem}.") from problem
    unknown = sorted(set(rules.detectors) - set(DETECTORS))
    if unknown:
        raise InvalidInput(
            f"There is no detector “{unknown[0]}”. Choose among: {', '.join(DETECTORS)}."
        )
    if len(rules.patterns) > MOST_PATTERNS:
        raise InvalidInput(f"A policy has up to {MOST_PATTERNS} patterns.")
    for pattern in rules.patterns:
        check_pattern(pattern)
    return rules


def compiled(rules: Rules, *, number: int, project_id: int) -> Ruleset:
    """The rules ready to be applied.

    Raises:
        InvalidInput: a pattern does not compile.
    """
    made = [_of_pattern(one) for one in rules.patterns if one.on]
    made += [
        _of_detector(detector, rules.detectors[name])
        for name, detector in DETECTORS.items()
        if name in rules.detectors
    ]
    return Ruleset(
        number=number,
        rules=tuple(made),
        places=frozenset(rules.places),
        keys=rules.keys,
        markers=_markers([rule.label for rule in made]),
        hash_key=_hash_key(project_id),
    )


def check_pattern(one: Pattern) -> None:
    """Refuse a pattern that cannot be used.

    Raises:
        InvalidInput: the sentence says why and what to do.
    """
    if not one.name.strip() or len(one.name) > 80 or not one.name.isprintable():
        raise InvalidInput("Give every pattern a name of up to 80 characters.")
    if _LABEL.fullmatch(one.label) is None:
        raise InvalidInput(
            f"Pattern “{one.name}”: the label “{one.label[:40]}” may have capital letters, digits "
            "and underscores, up to 40, and begins with a letter. It is written as [LABEL]."
        )
    if not one.pattern or len(one.pattern) > LONGEST_PATTERN:
        raise InvalidInput(f"Pattern “{one.name}” must have 1 to {LONGEST_PATTERN:,} characters.")
    expression = _compile(one)
    if expression.programsize > LARGEST_PROGRAM:
        raise InvalidInput(
            f"Pattern “{one.name}” is too large once its counts are written out "
            f"({expression.programsize:,} steps; {LARGEST_PROGRAM:,} may be). Use smaller counts, "
            "or + and * in their place."
        )
    if any(found.end() == found.start() for probe in _PROBES for found in _all(expression, probe)):
        raise InvalidInput(
            f"Pattern “{one.name}” matches the empty text, so it would match everywhere. "
            "Use + in the place of *, or ask for at least one character."
        )


def _all(expression: Any, probe: str) -> Iterator[Any]:
    return iter(expression.finditer(probe))


def _compile(one: Pattern) -> re2._Regexp:
    try:
        return re2.compile(one.pattern, _OPTIONS)
    except (re2.error, UnicodeError) as problem:
        raise InvalidInput(f"Pattern “{one.name}”: {_in_words(one.pattern, problem)}") from problem


def _in_words(pattern: str, problem: Exception) -> str:
    words = problem.args[0] if problem.args else ""
    said = words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)
    if "(?P=" in pattern or re.search(r"invalid escape sequence: \\[1-9k]", said):
        return "back-references such as \\1 are not supported. Write what is repeated again."
    if said.startswith("invalid perl operator: (?"):
        return (
            "look-ahead, look-behind, atomic groups and conditions are not supported. "
            "Match the text around as well, or use \\b for the edge of a word."
        )
    if said.startswith("invalid repetition size"):
        return "a count may be up to 1,000, counts within counts multiplied. Use a smaller one."
    return f"it cannot be read ({said[:200]}). See the syntax of RE2."


def _of_detector(detector: Detector, replacement: Replacement) -> Rule:
    return Rule(
        name=detector.name,
        label=detector.label,
        replacement=replacement,
        find=detector.find,
        shortest=detector.shortest,
        digits=detector.digits,
    )


def _of_pattern(one: Pattern) -> Rule:
    expression = re2.compile(one.pattern.encode(), _OPTIONS)

    def find(text: bytes) -> Iterator[Span]:
        for found in expression.finditer(text):
            start, end = found.span()
            if start < end:
                yield start, end

    return Rule(
        name=f"pattern:{one.name}",
        label=one.label,
        replacement=one.replacement,
        find=find,
        steps=expression.programsize,
    )


def _markers(labels: list[str]) -> re.Pattern[bytes]:
    """What this policy writes, in which it does not look again."""
    names = "|".join(sorted({"WITHHELD", *labels}, key=lambda label: (-len(label), label)))
    return re.compile(rf"\[(?:{names})(?:_[0-9a-f]{{{HASH_DIGITS}}})?\]".encode())


def _hash_key(project_id: int) -> bytes:
    """Equal values of one project give equal hashes; of two projects, different ones."""
    purpose = f"stillhouse redaction 1:{project_id}".encode()
    return hmac.new(settings.SECRET_KEY.encode(), purpose, hashlib.sha256).digest()
