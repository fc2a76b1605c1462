"""A pipeline's steps: read from what somebody sent, checked, made ready for rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evals.pipelines.steps.base import BadStep, Place, Ready
from evals.pipelines.steps.registry import complete, kind_named
from workbench.core.errors import DomainError, InvalidInput
from workbench.core.models import Project
from workbench.providers.refs import require_known

MOST_STEPS = 20
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,59}")


@dataclass(frozen=True)
class Step:
    """A step of a definition: its name, which templates use, its kind and complete settings."""

    name: str
    kind: str
    settings: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "kind": self.kind, "settings": dict(self.settings)}


@dataclass(frozen=True)
class ReadyStep:
    """A step at its place, ready to be done."""

    at: int
    step: Step
    ready: Ready


def read_steps(given: object) -> list[Step]:
    """Steps as somebody sent them, with complete settings.

    Raises:
        InvalidInput: they are none; the sentence names the step.
    """
    if not isinstance(given, Sequence) or isinstance(given, str) or not given:
        raise InvalidInput('steps: send a list of {"name", "kind", "settings"}, at least one.')
    if len(given) > MOST_STEPS:
        raise InvalidInput(f"steps: a pipeline has at most {MOST_STEPS}.")
    found = [_step(one, number) for number, one in enumerate(given, start=1)]
    names = [step.name for step in found]
    doubled = next((name for name in names if names.count(name) > 1), None)
    if doubled:
        raise InvalidInput(f"Two steps are called “{doubled}”. Give each its own name.")
    return found


def stored_steps(given: Iterable[Mapping[str, Any]]) -> list[Step]:
    """Steps as a definition keeps them."""
    return [Step(one["name"], one["kind"], one["settings"]) for one in given]


def prepare(
    project: Project,
    steps: Sequence[Step],
    *,
    columns: Iterable[str] | None = None,
    pinned: Mapping[str, Any] | None = None,
) -> list[ReadyStep]:
    """Make all steps ready; with `columns`, check that every variable they take is there.

    Nothing is paid for before this succeeds.

    Raises:
        BadStep: one cannot be done; the sentence names the step, and for variables also those that
            there are.
    """
    before: dict[str, str] = {}
    found: list[ReadyStep] = []
    has_children = False
    for at, step in enumerate(steps):
        place = Place(project, step.name, dict(before), (pinned or {}).get(step.name))
        ready = _prepared(place, step)
        if columns is not None and not has_children:
            _require(step, ready, [*columns, *before])
        found.append(ReadyStep(at, step, ready))
        before[step.name] = step.kind
        has_children = has_children or kind_named(step.kind).makes_rows
    return found


def require_models(project: Project, steps: Iterable[ReadyStep]) -> None:
    """Make sure that every model the steps ask is there.

    Raises:
        BadStep: one is not; the sentence names the step.
    """
    for one in steps:
        for ref in one.ready.models:
            try:
                require_known(project, ref)
            except DomainError as problem:
                raise _named(one.step.name, problem) from problem


def _prepared(place: Place, step: Step) -> Ready:
    try:
        return kind_named(step.kind).prepare(place, step.settings)
    except DomainError as problem:
        raise _named(step.name, problem) from problem


def _require(step: Step, ready: Ready, known: Sequence[str]) -> None:
    missing = sorted(ready.needs - set(known))
    if missing:
        raise BadStep(
            f"Step “{step.name}” takes {_listed(missing)}, which no column and no earlier step is "
            f"called. There are: {_listed(list(dict.fromkeys(known))) or 'no columns'}."
        )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"“{name}”" for name in names[:30])


def _step(given: object, number: int) -> Step:
    if not isinstance(given, Mapping):
        raise InvalidInput(f"Step {number} must be an object with name, kind and settings.")
    name, settings = given.get("name"), given.get("settings", {})
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise InvalidInput(
            f"Step {number}: give it a name of letters, digits and _ that begins with a letter; "
            "templates use it as a variable."
        )
    if not isinstance(settings, Mapping):
        raise BadStep(f"Step “{name}”: settings must be an object.")
    try:
        kind = kind_named(str(given.get("kind", "")))
        return Step(name, kind.name, complete(kind, settings))
    except DomainError as problem:
        raise _named(name, problem) from problem


def _named(name: str, problem: DomainError) -> BadStep:
    return BadStep(f"Step “{name}”: {problem.sentence}", code=problem.code)
