"""Jinja by choice: read here without running anything, rendered in a bounded process apart."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import TemplateSyntaxError, meta, nodes, pass_context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from prompts.rendering.jinja_children import Children, Ended
from prompts.rendering.problems import (
    BadTemplate,
    MissingVariables,
    Place,
    RenderingStopped,
)

CPU_SECONDS = 2
SLOTS = 4
"""How many may run at once for one process of ours."""
MOST_CHARACTERS = 128 << 10
"""Of all templates of a prompt together: reading that much takes half a second."""
WAIT_SECONDS = 30
"""Of the wall clock, for a machine that gives the process little of its time."""
FORBIDDEN = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)
STOPPED = (
    f"The template was stopped: it may take {CPU_SECONDS} seconds, 256 MiB of memory and make "
    "1 MiB of text. Let its loops and repetitions do less."
)


@pass_context
def _never_folded(*_args: Any, **_kwargs: Any) -> str:
    return ""


class _Reading(ImmutableSandboxedEnvironment):
    """For reading only. Jinja works out constant expressions while it looks for variables, so that
    `{{ "a"|center(10**9) }}` would fill the memory of whoever reads it; operators that are
    intercepted, and filters and tests that want the context, are left alone.
    """

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def __init__(self) -> None:
        super().__init__(autoescape=False)
        self.filters = dict.fromkeys(self.filters, _never_folded)
        self.tests = dict.fromkeys(self.tests, _never_folded)


_READING = _Reading()
_slots = threading.BoundedSemaphore(SLOTS)
_children = Children()


def variables_in(text: str) -> list[str]:
    """The names the template takes from outside, in order of the alphabet.

    Raises:
        BadTemplate: it cannot be read, or wants another template by a statement.
    """
    try:
        tree = _READING.parse(text)
        names = meta.find_undeclared_variables(tree)
    except TemplateSyntaxError as problem:
        raise BadTemplate(f"{problem.message}", _place(text, problem.lineno)) from problem
    except RecursionError as problem:
        raise BadTemplate("the template is nested too deeply.") from problem
    for node in tree.find_all(FORBIDDEN):
        raise BadTemplate(
            "include, import and extends do not work here. Take in another prompt by {{> name}}.",
            _place(text, node.lineno),
        )
    return sorted(names - set(_READING.globals))


def render_all(texts: Sequence[str], values: Mapping[str, Any]) -> list[str]:
    """The texts with the values put in.

    They run in a process of their own: a thread cannot be stopped, and there are more ways to keep
    a template busy or hungry (loops in loops, filters, recursive macros, formats) than could be
    counted from inside. That process knows nothing of ours, and the kernel bounds what it uses. It
    is kept for a while: the next row of the same prompt takes a fraction of a millisecond.

    Raises:
        BadTemplate: a template fails with these values.
        MissingVariables: what it needs is not among the values; all missing names are told.
        RenderingStopped: it took too long, too much memory, or made too much text.
    """
    told = _run(tuple(texts), values)
    if "texts" in told:
        return [str(text) for text in told["texts"]]
    if told["kind"] == "undefined":
        needed = {name for text in texts for name in variables_in(text)}
        if needed - set(values):
            raise MissingVariables(sorted(needed - set(values)))
    text = texts[told["template"]]
    raise BadTemplate(str(told["message"]), _place(text, told["line"]))


def _run(texts: tuple[str, ...], values: Mapping[str, Any]) -> dict[str, Any]:
    with _slots:
        child = _children.take(texts, cpu_seconds=CPU_SECONDS, wait_seconds=WAIT_SECONDS)
        try:
            return child.render(values)
        except Ended as problem:
            raise RenderingStopped(STOPPED) from problem
        finally:
            _children.give_back(texts, child)


def _place(text: str, line: int) -> Place:
    """Jinja knows the line; the column is that of the first tag on it."""
    lines = text.split("\n")
    on_it = lines[line - 1] if 0 < line <= len(lines) else ""
    found = [at for at in (on_it.find("{{"), on_it.find("{%"), on_it.find("{#")) if at >= 0]
    return Place(line, min(found, default=0) + 1)
