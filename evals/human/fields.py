"""The fields of a rating form: what they ask, and what may be answered. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, TypeAlias

MOST_FIELDS = 20
MOST_OPTIONS = 20
MOST_STEPS = 11
"""A number scale of so many whole values is shown as buttons; a longer one is typed."""
LONGEST_TITLE = 80
LONGEST_OPTION = 60
LONGEST_HELP = 300
LONGEST_TEXT = 4_000
_KEY = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")

Value: TypeAlias = float | bool | str | list[str]
Answers: TypeAlias = dict[str, Any]
"""By a field's key its value, or for one asked per message `{"<message's index>": value}`."""


class BadField(ValueError):
    """A field or an answer cannot be used; the message is a sentence."""


class Kind(StrEnum):
    """What a field asks for."""

    STARS = "stars"
    CHOICE = "choice"
    LABELS = "labels"
    YES_NO = "yes_no"
    NUMBER = "number"
    TEXT = "text"

    @property
    def label(self) -> str:
        return _LABELS[self]

    @property
    def has_options(self) -> bool:
        return self in (Kind.CHOICE, Kind.LABELS)

    @property
    def is_number(self) -> bool:
        """Whether its values have a mean; yes counts 1 and no 0."""
        return self in (Kind.STARS, Kind.NUMBER, Kind.YES_NO)


_LABELS = {
    Kind.STARS: "Stars, 1 to 5",
    Kind.CHOICE: "One of a few",
    Kind.LABELS: "Any of a few",
    Kind.YES_NO: "Yes or no",
    Kind.NUMBER: "Number scale",
    Kind.TEXT: "Text",
}


@dataclass(frozen=True)
class Option:
    """One thing that can be chosen: its value in a form, its words, and the key that chooses it."""

    value: str
    label: str
    shortcut: str


@dataclass(frozen=True)
class RatingField:
    """One question. `key` names its answers and stays when the title changes; `options` are for
    choices and labels, `low` and `high` for numbers. With `per_message` every message of the
    assistant is asked about, otherwise the answer as a whole."""

    key: str
    kind: Kind
    title: str
    help: str = ""
    required: bool = True
    per_message: bool = False
    options: tuple[str, ...] = ()
    low: float = 1
    high: float = 5

    @property
    def range(self) -> tuple[float, float]:
        """The least and the highest value of a field whose values have a mean."""
        if self.kind == Kind.STARS:
            return (1, 5)
        return (0, 1) if self.kind == Kind.YES_NO else (self.low, self.high)

    @property
    def is_typed(self) -> bool:
        """Whether its value is written and not picked."""
        return self.kind == Kind.TEXT or not self.picks

    @property
    def is_multiple(self) -> bool:
        return self.kind == Kind.LABELS

    @property
    def picks(self) -> list[Option]:
        """What can be picked; nothing for what is typed."""
        if self.kind == Kind.YES_NO:
            return [Option("yes", "Yes", "y"), Option("no", "No", "n")]
        if self.kind.has_options:
            return [Option(one, one, _ordinal(n)) for n, one in enumerate(self.options, 1)]
        return [Option(str(n), str(n), _of_number(n, self)) for n in self._steps()]

    def _steps(self) -> Iterable[int]:
        low, high = self.range
        whole = float(low).is_integer() and float(high).is_integer()
        if self.kind == Kind.TEXT or not whole or high - low >= MOST_STEPS:
            return ()
        return range(int(low), int(high) + 1)

    def as_json(self) -> dict[str, Any]:
        """The field as a version stores it."""
        return {**asdict(self), "kind": self.kind.value, "options": list(self.options)}


def _ordinal(place: int) -> str:
    return str(place % 10) if place <= 10 else ""


def _of_number(number: int, field: RatingField) -> str:
    if 0 <= number <= 9:
        return str(number)
    return {10: "0" if field.range[0] > 0 else "-"}.get(number, "")


def read_fields(given: Sequence[Mapping[str, Any]]) -> list[RatingField]:
    """Check what a form is to ask.

    Raises:
        BadField: nothing, too much, a doubled key, or a field that makes no sense.
    """
    if not given:
        raise BadField("A form needs at least one field.")
    if len(given) > MOST_FIELDS:
        raise BadField(f"A form has at most {MOST_FIELDS} fields.")
    taken = [str(one.get("key") or "") for one in given]
    fields: list[RatingField] = []
    for one in given:
        fields.append(_field(one, {*taken, *(field.key for field in fields)}))
    keys = [field.key for field in fields]
    doubled = next((key for key in keys if keys.count(key) > 1), None)
    if doubled:
        raise BadField(f"Two fields have the key “{doubled}”. Give each its own.")
    return fields


def stored_fields(given: Sequence[Mapping[str, Any]]) -> list[RatingField]:
    """The fields of a version, as `RatingField.as_json` wrote them."""
    return [
        RatingField(**{**one, "kind": Kind(one["kind"]), "options": tuple(one["options"])})
        for one in given
    ]


def _field(given: Mapping[str, Any], taken: set[str]) -> RatingField:
    title = _text(given.get("title"), "A field's title", least=1, most=LONGEST_TITLE)
    try:
        kind = Kind(str(given.get("kind", "")))
    except ValueError as problem:
        known = ", ".join(Kind)
        raise BadField(f"“{title}”: the kind is one of {known}.") from problem
    low, high = _bounds(given, title) if kind == Kind.NUMBER else (1.0, 5.0)
    return RatingField(
        key=_key(given.get("key"), title, taken),
        kind=kind,
        title=title,
        help=_text(given.get("help", ""), f"“{title}”: the help", most=LONGEST_HELP),
        required=bool(given.get("required", True)),
        per_message=bool(given.get("per_message", False)),
        options=_options(given.get("options", ()), title) if kind.has_options else (),
        low=low,
        high=high,
    )


def _key(given: object, title: str, taken: set[str]) -> str:
    if given:
        if not isinstance(given, str) or not _KEY.match(given):
            raise BadField(
                f"“{title}”: a key has up to 40 letters a to z, digits and underscores, and begins "
                "with a letter."
            )
        return given
    stem = re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")[:36]
    stem = stem if stem[:1].isalpha() else f"field_{stem}".strip("_")
    keys = (stem if n == 1 else f"{stem}_{n}" for n in range(1, MOST_FIELDS + 2))
    return next(key for key in keys if key not in taken)


def _options(given: object, title: str) -> tuple[str, ...]:
    texts = given if isinstance(given, list | tuple) else []
    options = tuple(_text(one, f"“{title}”: an option", most=LONGEST_OPTION) for one in texts)
    options = tuple(one for one in options if one)
    if not 2 <= len(options) <= MOST_OPTIONS:
        raise BadField(f"“{title}”: write 2 to {MOST_OPTIONS} options, one a line.")
    if len(set(options)) != len(options):
        raise BadField(f"“{title}”: two options are the same.")
    return options


def _bounds(given: Mapping[str, Any], title: str) -> tuple[float, float]:
    low, high = (
        _number(given.get(name, usual), title) for name, usual in (("low", 1), ("high", 5))
    )
    if low >= high:
        raise BadField(f"“{title}”: the lowest number must be below the highest.")
    return low, high


def _number(given: object, title: str) -> float:
    if isinstance(given, int | float | str) and not isinstance(given, bool):
        try:
            found = float(given)
        except (ValueError, OverflowError):
            found = math.nan
        if math.isfinite(found) and abs(found) <= 1e9:
            return found
    raise BadField(f"“{title}”: write a number.")


def _text(given: object, what: str, *, most: int, least: int = 0) -> str:
    text = given.strip() if isinstance(given, str) else None
    if text is None or not least <= len(text) <= most or "\0" in text:
        raise BadField(f"{what} is a text of {least or 'up'} to {most:,} characters.")
    return text


def read_answers(
    fields: Sequence[RatingField], given: Mapping[str, Any], messages: Sequence[int]
) -> Answers:
    """Check what a rater answered; `messages` are the indexes of the messages asked about.

    What was left open is left out.

    Raises:
        BadField: a field that is not there, a required one left open, or a value out of bounds.
    """
    unknown = sorted(set(given) - {field.key for field in fields})
    if unknown:
        raise BadField(f"The form has no field “{unknown[0][:40]}”.")
    found: Answers = {}
    for field in fields:
        answer = given.get(field.key)
        read = _per_message(field, answer, messages) if field.per_message else _one(field, answer)
        if read is not None and read != {}:
            found[field.key] = read
    return found


def _per_message(field: RatingField, given: object, messages: Sequence[int]) -> dict[str, Value]:
    answers = {} if given is None else given
    if not isinstance(answers, Mapping):
        raise BadField(f"“{field.title}” is asked per message: send an object of index and value.")
    wrong = [key for key in answers if str(key) not in {str(index) for index in messages}]
    if wrong:
        raise BadField(f"“{field.title}”: message {str(wrong[0])[:20]} is not asked about.")
    read = {str(index): _one(field, answers.get(str(index))) for index in messages}
    return {index: value for index, value in read.items() if value is not None}


def _one(field: RatingField, given: object) -> Value | None:
    if given is None or given in ("", []):
        if field.required:
            raise BadField(f"“{field.title}” is not answered yet.")
        return None
    if field.kind == Kind.LABELS:
        return _chosen(field, given)
    if field.kind == Kind.YES_NO:
        return _yes(field, given)
    if field.kind.is_number:
        return _scaled(field, given)
    if field.kind == Kind.CHOICE:
        return _chosen(field, [given])[0]
    return _text(given, f"“{field.title}”", most=LONGEST_TEXT)


def _chosen(field: RatingField, given: object) -> list[str]:
    values = given if isinstance(given, list) else [given]
    if not all(value in field.options for value in values):
        raise BadField(f"“{field.title}”: choose from {', '.join(field.options)}.")
    return [option for option in field.options if option in values]


def _yes(field: RatingField, given: object) -> bool:
    words: dict[object, bool] = {"yes": True, "no": False}
    if isinstance(given, bool):
        return given
    if given not in words:
        raise BadField(f"“{field.title}”: answer yes or no.")
    return words[given]


def _scaled(field: RatingField, given: object) -> float:
    value = _number(given, field.title)
    low, high = field.range
    whole = field.kind == Kind.STARS
    if not low <= value <= high or (whole and not value.is_integer()):
        kind = "a whole number" if whole else "a number"
        raise BadField(f"“{field.title}”: {kind} from {low:g} to {high:g}.")
    return value
