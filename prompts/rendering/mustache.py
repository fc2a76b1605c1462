r"""The default syntax: `{{variable}}`, dotted paths, and `\{{` for two braces as they are."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from prompts.rendering.problems import BadTemplate, MissingVariables, place_of

TAG = re.compile(r"\\\{\{|\{\{(?P<inner>[^{}]*)\}\}|\{\{")
PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*")
ESCAPE = "\\{{"


def paths_in(text: str) -> list[str]:
    """The variables' paths in order of appearance, each once.

    Raises:
        BadTemplate: two braces that open no variable.
    """
    found = (_path(text, tag) for tag in TAG.finditer(text) if tag[0] != ESCAPE)
    return list(dict.fromkeys(found))


def variables_in(text: str) -> dict[str, str]:
    """The variables by name, in order, with the type their use tells: text or object."""
    found: dict[str, str] = {}
    for path in paths_in(text):
        name, dot, _ = path.partition(".")
        if dot or name not in found:
            found[name] = "object" if dot else "text"
    return found


def missing_in(text: str, values: Mapping[str, Any]) -> list[str]:
    """Paths that the values do not hold."""
    return [path for path in paths_in(text) if not _holds(values, path)]


def render(text: str, values: Mapping[str, Any]) -> str:
    """The text with the values put in; what is not text is written as JSON.

    Raises:
        BadTemplate: two braces that open no variable.
        MissingVariables: all that are missing.
    """
    missing = missing_in(text, values)
    if missing:
        raise MissingVariables(missing)
    return TAG.sub(lambda tag: _filled(tag, values), text)


def written(value: Any) -> str:
    """A value as it stands in a text."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _filled(tag: re.Match[str], values: Mapping[str, Any]) -> str:
    return "{{" if tag[0] == ESCAPE else written(_value(values, tag["inner"].strip()))


def _path(text: str, tag: re.Match[str]) -> str:
    path = (tag["inner"] or "").strip()
    if PATH.fullmatch(path):
        return path
    shown = f"“{{{{{path[:40]}}}}}”" if tag["inner"] is not None else "“{{”"
    raise BadTemplate(
        f"{shown} is no variable. Write {{{{name}}}} or {{{{name.part}}}}; for two braces as they "
        f"are write {ESCAPE}; for loops and conditions choose Jinja.",
        place_of(text, tag.start()),
    )


def _holds(values: Any, path: str) -> bool:
    try:
        _value(values, path)
    except (KeyError, IndexError, TypeError, ValueError):
        return False
    return True


def _value(values: Any, path: str) -> Any:
    for part in path.split("."):
        values = values[int(part)] if isinstance(values, list | tuple) else values[part]
    return values
