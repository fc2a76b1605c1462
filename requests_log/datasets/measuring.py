"""How long an example is for a model: asked of whoever knows models.

Datasets stand below training, so the app that knows base models registers itself here at start-up
(as model refs do in `workbench.providers.refs`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workbench.core.errors import InvalidInput
from workbench.core.models import Project


@dataclass(frozen=True)
class Length:
    """Tokens of the longest trained sequence of a row, or why the model cannot read the row."""

    tokens: int = 0
    problem: str = ""


@dataclass(frozen=True)
class Ruler:
    """Measures rows for one base model; `context` is how many tokens it can read, if known."""

    name: str
    context: int | None
    measure: Callable[[Mapping[str, Any]], Length]


_names: Callable[[Project], Sequence[str]] | None = None
_find: Callable[[Project, str], Ruler] | None = None


def register_rulers(
    names: Callable[[Project], Sequence[str]], find: Callable[[Project, str], Ruler]
) -> None:
    """Say which base models there are, and how to measure for one."""
    global _names, _find
    _names, _find = names, find


def base_names(project: Project) -> Sequence[str]:
    """Base models that can be chosen."""
    return _names(project) if _names else ()


def ruler_for(project: Project, name: str) -> Ruler:
    """The ruler of a base model.

    Raises:
        InvalidInput: there is no such model.
    """
    if _find is None:
        raise InvalidInput("No base models are installed here, so lengths cannot be measured.")
    return _find(project, name)
