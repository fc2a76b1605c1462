"""What people and programs can do with rating forms and studies."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from evals.human.fields import BadField, read_fields
from evals.human.jobs import WRITE_SCORES
from evals.human.models import (
    MOST_RATERS_AN_ITEM,
    Item,
    RatingForm,
    RatingFormVersion,
    Slot,
    Study,
)
from evals.human.raters import raters_of
from evals.human.sampling import MOST_ITEMS, draw_items
from evals.models import Candidate, Comparison
from requests_log.datasets.models import Dataset
from workbench.core.errors import DomainError, InvalidInput
from workbench.core.models import Project, User

USUAL_ITEMS = 100
LONGEST_INSTRUCTIONS = 4_000


class StudyFinished(DomainError):
    """The study takes no more ratings."""

    code = "study_finished"


class StudyOpen(DomainError):
    """Results are shown when the study is finished."""

    code = "study_open"


class FormUnchanged(DomainError):
    """The new version would be like the last one."""

    code = "nothing_changed"


@dataclass(frozen=True)
class Sides:
    """Answers of a comparison: of these candidates, all of them where none is named."""

    comparison: Comparison
    labels: Sequence[str] = ()


@dataclass(frozen=True)
class Matching:
    """Logged requests that match a query, all of them where it is empty."""

    query: str = ""


@dataclass(frozen=True)
class Plan:
    """How a study is worked through: `items` at most, each by `per_item` people, of whom each gets
    at most `per_rater`. Without `raters` everybody who may edit the project is one."""

    items: int = USUAL_ITEMS
    per_item: int = 1
    per_rater: int | None = None
    raters: Sequence[User] = ()
    instructions: str = ""
    both_bad: bool = False
    seed: int | None = field(default=None)


def save_form(
    project: Project, *, name: str, fields: Sequence[Mapping[str, Any]], by: User | None
) -> RatingFormVersion:
    """Make a form; what it asks is its first version.

    Raises:
        InvalidInput: no name, one that is taken, or fields that make no sense.
    """
    checked = _checked_fields(fields)
    if not name.strip() or "\0" in name:
        raise InvalidInput("Give the form a name.")
    try:
        with transaction.atomic():
            form = RatingForm.objects.create(
                project=project, name=name.strip()[:120], created_by=by
            )
            return RatingFormVersion.objects.create(
                form=form, number=1, fields=checked, created_by=by
            )
    except IntegrityError as problem:
        raise InvalidInput("There is a form of this name already. Choose another one.") from problem


def save_form_version(
    form: RatingForm, *, fields: Sequence[Mapping[str, Any]], by: User | None
) -> RatingFormVersion:
    """Save changed fields as the form's next version; studies keep the version they began with.

    Raises:
        InvalidInput: fields that make no sense.
        FormUnchanged: the last version asks the same.
    """
    checked = _checked_fields(fields)
    with transaction.atomic():
        RatingForm.objects.select_for_update().get(pk=form.pk)
        last = form.versions.newest_first().first()
        if last is not None and last.fields == checked:
            raise FormUnchanged(f"Nothing is changed: {last} asks the same.")
        number = last.number + 1 if last else 1
        return RatingFormVersion.objects.create(
            form=form, number=number, fields=checked, created_by=by
        )


def _checked_fields(fields: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    try:
        return [one.as_json() for one in read_fields(fields)]
    except BadField as problem:
        raise InvalidInput(str(problem)) from problem


def start_study(
    project: Project,
    *,
    name: str,
    of: Sides | Matching | Dataset,
    form: RatingFormVersion | None,
    plan: Plan,
    by: User | None,
    at: datetime,
) -> Study:
    """Draw the items and open the study. Without a form two candidates are set side by side.

    Raises:
        InvalidInput: no name, numbers out of bounds, or not two candidates to choose between.
        NothingToRate: there is no answer to judge.
    """
    _check(name, plan, of, form)
    candidates = _candidates(of, pair=form is None)
    with transaction.atomic():
        study = Study.objects.create(
            project=project, name=name.strip()[:120], form=form, created_by=by,
            kind=Study.Kind.RATING if form else Study.Kind.SIDE_BY_SIDE, **_source(of),
            instructions=plan.instructions.strip(), everybody=not plan.raters,
            per_item=plan.per_item, per_rater=plan.per_rater, both_bad=plan.both_bad,
            seed=secrets.randbits(31) if plan.seed is None else plan.seed,
        )  # fmt: skip
        study.raters.set(plan.raters)
        require_enough_raters(study)
        _store(study, draw_items(study, candidates, limit=plan.items, at=at))
    return study


def _check(
    name: str, plan: Plan, of: Sides | Matching | Dataset, form: RatingFormVersion | None
) -> None:
    if not name.strip() or "\0" in name + plan.instructions:
        raise InvalidInput("Give the study a name.")
    if form is None and not isinstance(of, Sides):
        raise InvalidInput("Side by side needs two candidates of a comparison; or choose a form.")
    if not 1 <= plan.items <= MOST_ITEMS:
        raise InvalidInput(f"A study has 1 to {MOST_ITEMS:,} items.")
    if not 1 <= plan.per_item <= MOST_RATERS_AN_ITEM:
        raise InvalidInput(f"An item is judged by 1 to {MOST_RATERS_AN_ITEM} people.")
    if plan.per_rater is not None and plan.per_rater < 1:
        raise InvalidInput("A rater gets at least one item; leave it empty for no bound.")
    if len(plan.instructions) > LONGEST_INSTRUCTIONS:
        raise InvalidInput(f"Instructions have at most {LONGEST_INSTRUCTIONS:,} characters.")


def require_enough_raters(study: Study) -> None:
    """
    Raises:
        InvalidInput: it has fewer raters than an item needs.
    """
    there = raters_of(study).count()
    if there < study.per_item:
        raise InvalidInput(
            f"Each item is to be judged by {study.per_item} people, but there "
            f"{'is' if there == 1 else 'are'} {there}. Choose more raters, or fewer an item."
        )


def _candidates(of: Sides | Matching | Dataset, *, pair: bool) -> list[Candidate]:
    if not isinstance(of, Sides):
        return []
    there = {one.label: one for one in of.comparison.candidates.order_by("position")}
    unknown = [label for label in of.labels if label not in there]
    if unknown:
        raise InvalidInput(f"The comparison has no candidate “{unknown[0][:60]}”.")
    found = [there[label] for label in dict.fromkeys(of.labels or there)]
    if pair and len(found) != 2:
        raise InvalidInput("Choose exactly two candidates to set side by side.")
    return found


def _source(of: Sides | Matching | Dataset) -> dict[str, Any]:
    if isinstance(of, Sides):
        return {"source": Study.Source.COMPARISON, "comparison": of.comparison}
    if isinstance(of, Matching):
        return {"source": Study.Source.LOG, "query": of.query}
    return {"source": Study.Source.DATASET, "dataset": of}


def _store(study: Study, items: list[Item]) -> None:
    Item.objects.bulk_create(items)
    Slot.objects.bulk_create(
        Slot(study=study, item=item, position=item.position, number=number)
        for item in items
        for number in range(1, study.per_item + 1)
    )


def finish_study(study: Study, *, at: datetime) -> Study:
    """Close the study and show its results; finishing twice is harmless.

    It cannot be opened again: whoever saw the results is no longer blind.
    """
    with transaction.atomic():
        found = Study.objects.select_for_update().get(pk=study.pk)
        if found.finished_at is None:
            found.finished_at = at
            found.save(update_fields=["finished_at"])
            Slot.objects.of_study(found).filter(rated_at=None).update(
                held_by=None, lease_until=None
            )
    return found


def require_finished(study: Study) -> None:
    """
    Raises:
        StudyOpen: raters must not see each other's answers yet.
    """
    if not study.is_finished:
        raise StudyOpen(
            "Results are shown once the study is finished, so that raters stay blind. Finish it "
            "on its page."
        )


def queue_scores(study: Study, *, by: User | None) -> Study:
    """Write the ratings as scores, as a job; doing it twice adds nothing.

    Raises:
        StudyOpen: the study is not finished.
    """
    require_finished(study)
    with transaction.atomic():
        study.job = WRITE_SCORES.enqueue(
            project=study.project, title=f"Write scores: {study.name}", by=by,
            payload={"study": str(study.pk)},
        )  # fmt: skip
        study.save(update_fields=["job"])
    return study
