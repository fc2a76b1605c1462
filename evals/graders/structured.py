"""Answers that are JSON: of a shape, or with the expected values."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from itertools import islice
from typing import Any

import msgspec
import re2  # type: ignore[import-untyped]
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable

from evals.graders.base import Answered, BadSettings, CannotGrade, Grade, Grader, Settings, share

MISSING = object()
MOST_FIELDS = 100
_FENCE = re.compile(r"\A```[\w-]*\s*\n(.*?)\n?```\Z", re.DOTALL)
_OPTIONS = re2.Options()
_OPTIONS.log_errors = False


def parsed(text: str) -> Any:
    """The JSON an answer is, also inside a Markdown fence; MISSING where it is none."""
    bare = text.strip()
    fenced = _FENCE.match(bare)
    try:
        return msgspec.json.decode(fenced[1] if fenced else bare)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return MISSING


def _pattern(_: Any, pattern: str, instance: Any, __: Any) -> Any:
    if isinstance(instance, str) and not re2.search(pattern, instance, _OPTIONS):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _pattern_properties(validator: Any, patterns: Any, instance: Any, _: Any) -> Any:
    if not isinstance(instance, dict):
        return
    for pattern, subschema in patterns.items():
        for name, value in instance.items():
            if re2.search(pattern, name, _OPTIONS):
                yield from validator.descend(value, subschema, path=name, schema_path=pattern)


# Python's own patterns can take for ever on a text made for it.
_Validator = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator, {"pattern": _pattern, "patternProperties": _pattern_properties}
)


class SchemaUnusable(Exception):
    """What should be a JSON schema is none, or cannot be followed; a sentence."""


def schema_problems(schema: Any, value: Any, *, most: int) -> list[tuple[str, str]]:
    """Where a value does not fit a schema: paths such as `items.0.name` with what is wrong there.

    Raises:
        SchemaUnusable: it is no schema, or refers to what it does not hold.
    """
    try:
        Draft202012Validator.check_schema(schema)
        found = islice(_Validator(schema, registry=Registry()).iter_errors(value), most)
        return [(".".join(map(str, one.absolute_path)), one.message[:500]) for one in found]
    except SchemaError as problem:
        raise SchemaUnusable(f"The JSON schema is no schema: {problem.message}.") from problem
    except Unresolvable as problem:
        raise SchemaUnusable(
            f"The JSON schema refers to {problem.ref!r}, which it does not hold."
        ) from problem
    except (RecursionError, re2.error) as problem:
        raise SchemaUnusable(f"The JSON schema cannot be followed: {problem}.") from problem


def _json_schema(settings: Settings) -> Grade:
    schema = settings["schema"]
    try:
        Draft202012Validator.check_schema(schema)
    except (SchemaError, RecursionError) as problem:
        message = problem.message if isinstance(problem, SchemaError) else "nested too deeply"
        raise BadSettings(f"The JSON schema is no schema: {message}.") from problem
    validator = _Validator(schema, registry=Registry())  # nothing is fetched

    def grade(answered: Answered) -> float:
        found = parsed(answered.answer)
        try:
            return share(found is not MISSING and validator.is_valid(found))
        except Unresolvable as problem:
            raise CannotGrade(
                f"The JSON schema refers to {problem.ref!r}, which it does not hold."
            ) from problem
        except (RecursionError, re2.error) as problem:
            raise CannotGrade(f"The JSON schema cannot be followed: {problem}.") from problem

    return grade


def _json_fields(settings: Settings) -> Grade:
    named: list[str] = settings["fields"]
    tolerance: float = settings["tolerance"]

    def grade(answered: Answered) -> float:
        expected, found = parsed(answered.expected), parsed(answered.answer)
        if expected is MISSING:
            raise CannotGrade("The expected answer is no JSON, so it has no fields.")
        if not named and not isinstance(expected, Mapping):
            return share(is_same(expected, found, tolerance))
        paths = named or [_escaped(name) for name in expected]
        same = [is_same(_at(expected, p), _at(found, p), tolerance) for p in paths]
        return sum(same) / len(same) if same else share(is_same(expected, found, tolerance))

    return grade


def is_same(one: Any, other: Any, tolerance: float = 0.0) -> bool:
    """Whether two JSON values are equal: 1 is 1.0 and not true; lists keep their order."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one == other or math.isclose(one, other, rel_tol=0, abs_tol=tolerance)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_same, one, other, [tolerance] * len(one)))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(
            is_same(one[key], other[key], tolerance) for key in one
        )
    return type(one) is type(other) and bool(one == other)


def _escaped(name: str) -> str:
    return name.replace("\\", r"\\").replace(".", r"\.")


def _at(value: Any, path: str) -> Any:
    """What stands at a path such as `address.street` or `items.0.name`; a dot after a backslash
    belongs to the name."""
    for part in re.findall(r"(?:\\.|[^.\\])+", path):
        name = re.sub(r"\\(.)", r"\1", part)
        if isinstance(value, Mapping):
            value = value.get(name, MISSING)
        elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            return MISSING
    return value


JSON_SCHEMA = Grader(
    name="json_schema",
    label="JSON schema",
    help="Right when the answer is JSON that fits a schema; the expected answer is not looked at.",
    make=_json_schema,
    fields={
        "schema": {
            "type": "object",
            "title": "Schema",
            "description": "JSON Schema, draft 2020-12. Nothing it refers to is fetched.",
        }
    },
)
JSON_FIELDS = Grader(
    name="json_fields",
    label="JSON fields",
    help="The share of the expected answer's fields that have the same value in the answer.",
    make=_json_fields,
    fields={
        "fields": {
            "type": "array",
            "items": {"type": "string", "minLength": 1, "maxLength": 200},
            "maxItems": MOST_FIELDS,
            "title": "Fields",
            "description": "One a line, such as address.street or items.0.name. Left empty, all "
            "fields at the top.",
            "default": [],
        },
        "tolerance": {
            "type": "number",
            "minimum": 0,
            "title": "Tolerance",
            "description": "How far numbers may lie apart.",
            "default": 0,
        },
    },
)
