"""What people and programs can do with judges: make them, save versions, put them away."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from django.db import IntegrityError, transaction

from evals.judges.models import Judge, JudgeVersion
from evals.judges.rubric import BadTemplate, check_template
from evals.judges.scales import PAIR, BadScale, read_scale
from evals.judges.settings import DEFAULT_PARAMETERS, MOST_SAMPLES, PAIRWISE, JudgeSettings
from workbench.core.errors import DomainError, InvalidInput, NotFound
from workbench.core.models import Project, User
from workbench.providers.refs import parse_ref

LONGEST_NAME, LONGEST_TEXT = 60, 50_000
NUMBERS = {"temperature": (0, 2), "max_tokens": (1, 100_000), "top_p": (0, 1), "seed": (0, 2**31)}


class NameTaken(DomainError):
    """The project has a judge of this name."""

    code = "name_taken"


class Archived(DomainError):
    """The judge is put away; nothing is added to it."""

    code = "archived"


class InUse(DomainError):
    """Comparisons were graded by the judge, so it cannot be deleted."""

    code = "in_use"


@dataclass(frozen=True)
class Saved:
    """A version, and whether it is new: the same content saved again is the version there is."""

    version: JudgeVersion
    is_new: bool


def create_judge(
    project: Project,
    *,
    name: str,
    model_ref: str,
    settings: JudgeSettings,
    by: User | None,
    at: datetime,
    description: str = "",
    message: str = "",
) -> Saved:
    """Make a judge with its first version.

    Raises:
        NameTaken: the project has one of this name, in whatever case.
        InvalidInput: the name, the model ref or the settings will not do.
    """
    values = _checked(model_ref, settings)
    judge = Judge(
        project=project, name=_name(name), kind=settings.kind, created_by=by, created_at=at,
        description=_line(description, "the description", 10_000),
    )  # fmt: skip
    try:
        with transaction.atomic():
            judge.save(force_insert=True)
            return _add_version(judge, values, by=by, at=at, message=message)
    except IntegrityError as problem:
        if "judge_name_once" not in str(problem):
            raise
        raise NameTaken(
            f"There is a judge “{judge.name}” already. Save a version of it, or choose another "
            "name."
        ) from problem


def save_version(
    judge: Judge,
    *,
    model_ref: str,
    settings: JudgeSettings,
    by: User | None,
    at: datetime,
    message: str = "",
) -> Saved:
    """Save what the judge does now as its next version; content that its newest version has
    already gives that one back.

    Raises:
        Archived: the judge is put away.
        InvalidInput: the settings will not do, or are for the other kind of judge.
    """
    if settings.kind != judge.kind:
        raise InvalidInput("A judge stays of its kind. Make another judge for the other one.")
    values = _checked(model_ref, settings)
    with transaction.atomic():
        return _add_version(_locked(judge), values, by=by, at=at, message=message)


def archive(judge: Judge, *, at: datetime) -> None:
    """Put a judge away: forms no longer offer it, what it judged stays. Twice is once."""
    Judge.objects.filter(pk=judge.pk, archived_at=None).update(archived_at=at)


def unarchive(judge: Judge) -> None:
    """Take a judge up again."""
    Judge.objects.filter(pk=judge.pk).update(archived_at=None)


def describe(judge: Judge, *, description: str) -> None:
    """Change what is said of a judge; versions stay as they are."""
    text = _line(description, "the description", 10_000)
    Judge.objects.filter(pk=judge.pk).update(description=text)


def version_of(project: Project, name: str, number: int | None = None) -> JudgeVersion:
    """A judge's version by its name and number, the newest one where None.

    Raises:
        NotFound: there is none.
    """
    found = JudgeVersion.objects.in_project(project).filter(judge__name__iexact=name)
    rows = found.newest_of_each() if number is None else found.filter(number=number)
    version = rows.select_related("judge").first()
    if version is None:
        which = f"“{name[:60]}”" if number is None else f"“{name[:60]}” v{number}"
        raise NotFound(f"There is no judge {which} in this project. Look under Evals, Judges.",
                       code="judge_not_found")  # fmt: skip
    return version


def judge_named(project: Project, settings: Mapping[str, Any]) -> JudgeVersion:
    """The judge of one answer that a grader's settings name: {"judge": name, "version": number};
    without a version, its newest.

    Raises:
        InvalidInput: no name, a judge of two, or one that is put away.
        NotFound: there is none.
    """
    name, number = settings.get("judge"), settings.get("version")
    is_number = isinstance(number, int) and not isinstance(number, bool)
    if not isinstance(name, str) or not (number is None or is_number):
        raise InvalidInput('Name the judge: {"judge": "helpfulness", "version": 3}; without a '
                           "version, its newest one grades.")  # fmt: skip
    version = version_of(project, name, number)
    if version.judge.is_pairwise:
        raise InvalidInput(f"“{version.judge}” compares two answers. Choose a judge of one.")
    if version.judge.archived_at is not None:
        raise InvalidInput(f"“{version.judge}” is archived. Take it up again, or choose another.")
    return version


def _add_version(
    judge: Judge, values: dict[str, Any], *, by: User | None, at: datetime, message: str
) -> Saved:
    if judge.archived_at is not None:
        raise Archived(f"“{judge}” is archived. Take it up again before you save a version.")
    digest = hashlib.sha256(msgspec.json.encode(values, order="deterministic")).hexdigest()
    newest = judge.versions.newest_first().first()
    if newest is not None and newest.content_hash == digest:
        return Saved(newest, is_new=False)
    judge.versions_made += 1
    judge.save(update_fields=["versions_made"])
    version = JudgeVersion.objects.create(
        judge=judge, number=judge.versions_made, content_hash=digest, created_by=by, created_at=at,
        message=_line(message, "the message", 300), **values,
    )  # fmt: skip
    return Saved(version, is_new=True)


def _checked(model_ref: str, settings: JudgeSettings) -> dict[str, Any]:
    """The columns of a version."""
    try:
        check_template(settings.template, settings.kind)
        read_scale(settings.scale.as_json())
    except (BadTemplate, BadScale) as problem:
        raise InvalidInput(str(problem)) from problem
    if settings.kind == PAIRWISE and settings.scale != PAIR:
        raise InvalidInput("A judge of two answers says A, B or tie; it has no other scale.")
    _check_samples(settings)
    return {
        "model_ref": parse_ref(model_ref.strip()).text,
        "template": _line(settings.template, "the rubric", LONGEST_TEXT),
        "criteria": _line(settings.criteria, "the criteria", LONGEST_TEXT),
        "scale": settings.scale.as_json(),
        "show_expected": settings.show_expected,
        "structured": settings.structured,
        "samples": settings.samples,
        "combine": settings.combine,
        "parameters": _parameters(settings.parameters),
    }


def _check_samples(settings: JudgeSettings) -> None:
    if not 1 <= settings.samples <= MOST_SAMPLES:
        raise InvalidInput(f"Ask 1 to {MOST_SAMPLES} times.")
    if settings.samples > 1 and not settings.parameters.get("temperature"):
        raise InvalidInput(
            "At a temperature of 0 every judgement is the same. Set one above 0, such as 0.7, or "
            "ask once."
        )
    if settings.combine == "mean" and not settings.scale.ordinal:
        raise InvalidInput("Categories without an order have no mean. Take the majority.")


def _parameters(given: Mapping[str, Any]) -> dict[str, Any]:
    whole = {**DEFAULT_PARAMETERS, **given}
    unknown = next((name for name in whole if name not in NUMBERS), None)
    if unknown is not None:
        raise InvalidInput(f"There is no parameter “{unknown[:40]}”. There are: "
                           f"{', '.join(NUMBERS)}.")  # fmt: skip
    for name, value in whole.items():
        low, high = NUMBERS[name]
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not low <= value <= high:
            raise InvalidInput(f"{name} must be a number from {low} to {high}.")
    return whole


def _locked(judge: Judge) -> Judge:
    found = Judge.objects.select_for_update(of=("self",)).filter(pk=judge.pk).first()
    if found is None:
        raise NotFound(f"“{judge}” was deleted meanwhile.", code="judge_not_found")
    return found


def _name(name: str) -> str:
    text = " ".join(name.split())
    if not text or len(text) > LONGEST_NAME or not text.isprintable():
        raise InvalidInput(f"Give the judge a name of at most {LONGEST_NAME} characters.")
    return text


def _line(text: str, what: str, most: int) -> str:
    text = text.strip()
    if "\0" in text or len(text) > most:
        raise InvalidInput(f"Give {what} at most {most:,} characters, and no NUL among them.")
    return text
