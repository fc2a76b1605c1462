"""Templates: what they need, what they become. Pure: no database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from prompts.rendering import jinja, mustache
from prompts.rendering.problems import MissingVariables

JINJA = "jinja"


def variables_in(text: str, syntax: str) -> dict[str, str]:
    """What a template takes from outside: names with the type their use tells.

    Raises:
        BadTemplate: it cannot be read.
    """
    if syntax == JINJA:
        return dict.fromkeys(jinja.variables_in(text), "text")
    return mustache.variables_in(text)


def render_all(texts: Sequence[str], syntax: str, values: Mapping[str, Any]) -> list[str]:
    """The templates with the values put in.

    Raises:
        BadTemplate: one of them cannot be read, or fails with these values.
        MissingVariables: all that are missing in all of them.
        RenderingStopped: Jinja that takes too long, too much memory, or makes too much text.
    """
    if syntax == JINJA:
        return jinja.render_all(texts, values) if texts else []
    missing = [name for text in texts for name in mustache.missing_in(text, values)]
    if missing:
        raise MissingVariables(dict.fromkeys(missing))
    return [mustache.render(text, values) for text in texts]
