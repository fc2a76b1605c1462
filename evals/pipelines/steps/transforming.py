"""Changing values without a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from evals.graders.structured import MISSING, parsed
from evals.pipelines import templates
from evals.pipelines.steps.base import (
    Asker,
    BadStep,
    CellFailed,
    Given,
    Outcome,
    Place,
    Ready,
    Settings,
    StepKind,
)
from prompts.content import checked
from prompts.rendering.mustache import written

OPERATIONS = ("template", "field", "json", "strip", "join")


def at_path(value: Any, path: str) -> Any:
    """What stands at a path such as `answer.city` or `items.0`; text on the way is read as JSON.

    Raises:
        CellFailed: nothing stands there.
    """
    for part in path.split("."):
        inside = parsed(value) if isinstance(value, str) else value
        if isinstance(inside, Mapping) and part in inside:
            value = inside[part]
        elif isinstance(inside, list) and part.isdecimal() and int(part) < len(inside):
            value = inside[int(part)]
        else:
            raise CellFailed("no_such_field", f"There is no “{part}” on the way to “{path}”.")
    return value


def _field(settings: Settings) -> Callable[[Mapping[str, Any]], Any]:
    return lambda variables: at_path(variables, settings["value"])


def _json(settings: Settings) -> Callable[[Mapping[str, Any]], Any]:
    def change(variables: Mapping[str, Any]) -> Any:
        text = at_path(variables, settings["value"])
        found = parsed(text) if isinstance(text, str) else text
        if found is MISSING:
            raise CellFailed("no_json", f"{settings['value']} is no JSON.")
        return found

    return change


def _strip(settings: Settings) -> Callable[[Mapping[str, Any]], Any]:
    return lambda variables: written(at_path(variables, settings["value"])).strip()


def _join(settings: Settings) -> Callable[[Mapping[str, Any]], Any]:
    def change(variables: Mapping[str, Any]) -> Any:
        parts = at_path(variables, settings["value"])
        if not isinstance(parts, list):
            raise CellFailed("no_list", f"{settings['value']} is no list.")
        return settings["between"].join(written(part) for part in parts)

    return change


_CHANGES = {"field": _field, "json": _json, "strip": _strip, "join": _join}


def _prepare(_: Place, settings: Settings) -> Ready:
    if settings["operation"] == "template":
        return _template(settings)
    if not settings["value"]:
        raise BadStep("Value: name the column or step to change.")
    change = _CHANGES[settings["operation"]](settings)

    async def work(given: Given, _: Asker) -> Outcome:
        return Outcome(change(given.variables))

    return Ready(work, needs=frozenset({settings["value"].partition(".")[0]}))


def _template(settings: Settings) -> Ready:
    if not settings["template"]:
        raise BadStep("Template: write a text with {{variables}}.")
    content = checked({"body": settings["template"]})

    async def work(given: Given, _: Asker) -> Outcome:
        (message,) = await templates.messages_for(content, given.variables)
        return Outcome(message["content"])

    return Ready(work, needs=templates.needs_of(content))


TRANSFORM = StepKind(
    name="transform",
    label="Transform",
    help="Takes a field, reads JSON, strips, joins or fills a template, without asking a model.",
    prepare=_prepare,
    fields={
        "operation": {
            "type": "string", "enum": list(OPERATIONS), "title": "Operation",
            "description": "What is done.", "default": "template",
        },
        "value": {
            "type": "string", "maxLength": 200, "title": "Value",
            "description": "A column or step, or a field in it such as answer.city.",
            "default": "", "format": "variable",
        },
        "template": {
            "type": "string", "title": "Template",
            "description": "A text with {{variables}}.", "default": "", "format": "template",
        },
        "between": {
            "type": "string", "maxLength": 100, "title": "Between",
            "description": "What stands between joined parts.", "default": "\n",
        },
    },
)  # fmt: skip
