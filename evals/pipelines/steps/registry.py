"""All kinds of steps by name, and the check of their settings."""

from __future__ import annotations

from jsonschema import Draft202012Validator

from evals.pipelines.steps.base import BadStep, Json, Settings, StepKind
from evals.pipelines.steps.choosing import BEST_OF
from evals.pipelines.steps.filtering import FILTER
from evals.pipelines.steps.grading import GRADE
from evals.pipelines.steps.humans import HUMAN
from evals.pipelines.steps.judging import JUDGE
from evals.pipelines.steps.prompting import PROMPT, SAMPLE
from evals.pipelines.steps.transforming import TRANSFORM

STEPS: dict[str, StepKind] = {
    one.name: one for one in (PROMPT, SAMPLE, BEST_OF, GRADE, JUDGE, FILTER, TRANSFORM, HUMAN)
}


def register_step(kind: StepKind) -> None:
    """Add a kind of step; call it when an app starts."""
    STEPS[kind.name] = kind


def kind_named(name: str) -> StepKind:
    """The kind of a name.

    Raises:
        BadStep: there is none.
    """
    try:
        return STEPS[name]
    except KeyError:
        known = ", ".join(STEPS)
        raise BadStep(f"There is no kind of step “{name[:40]}”. There are: {known}.") from None


def complete(kind: StepKind, settings: Settings) -> dict[str, Json]:
    """The settings with defaults for what was left out.

    Raises:
        BadStep: they do not fit the kind; the sentence names the first that does not.
    """
    defaults = {name: one["default"] for name, one in kind.fields.items() if "default" in one}
    whole = {**defaults, **settings}
    problem = next(iter(Draft202012Validator(kind.schema).iter_errors(whole)), None)
    if problem is None:
        return whole
    place = kind.fields.get(str(problem.path[0]), {}).get("title") if problem.path else None
    raise BadStep(f"{f'{place}: ' if place else ''}{problem.message[:300]}.")
