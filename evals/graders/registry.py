"""All graders by name, and the check of their settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator

from evals.graders.base import BadSettings, Grade, Grader
from evals.graders.code import CODE
from evals.graders.exact import CONTAINS, EXACT, NORMALISED
from evals.graders.numeric import NUMERIC
from evals.graders.overlap import BLEU_GRADER, ROUGE, SIMILARITY
from evals.graders.patterns import REGEX
from evals.graders.structured import JSON_FIELDS, JSON_SCHEMA
from evals.graders.tool_calls import TOOL_CALLS

GRADERS: Mapping[str, Grader] = {
    one.name: one
    for one in (
        EXACT,
        NORMALISED,
        CONTAINS,
        REGEX,
        NUMERIC,
        JSON_SCHEMA,
        JSON_FIELDS,
        TOOL_CALLS,
        SIMILARITY,
        ROUGE,
        BLEU_GRADER,
        CODE,
    )
}


def grader_named(name: str) -> Grader:
    """The grader of a name.

    Raises:
        BadSettings: there is none.
    """
    try:
        return GRADERS[name]
    except KeyError:
        known = ", ".join(GRADERS)
        raise BadSettings(f"There is no grader “{name[:40]}”. There are: {known}.") from None


def complete(grader: Grader, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with defaults for what was left out.

    Raises:
        BadSettings: they do not fit the grader; the sentence names the first that does not.
    """
    defaults = {name: one["default"] for name, one in grader.fields.items() if "default" in one}
    whole = {**defaults, **settings}
    problem = next(iter(Draft202012Validator(grader.schema).iter_errors(whole)), None)
    if problem is not None:
        place = grader.fields.get(str(problem.path[0]), {}).get("title") if problem.path else None
        raise BadSettings(f"{grader.label}: {f'{place}: ' if place else ''}{problem.message}.")
    grader.make(whole)
    return whole


def grade_with(name: str, settings: Mapping[str, Any]) -> Grade:
    """The grade of a grader with these settings, which are complete.

    Raises:
        BadSettings: they do not fit it.
    """
    return grader_named(name).make(settings)
