"""What people and programs can do with calibrations."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from evals.calibration.drawing import Answers, Matching, Source, draw_items, take_scores
from evals.calibration.jobs import ASK_JUDGE
from evals.calibration.models import Calibration, CalibrationItem
from evals.judges.models import JudgeVersion
from requests_log.datasets.models import DatasetVersion
from workbench.core.errors import DomainError, InvalidInput
from workbench.core.models import User

MOST_ROWS, USUAL_ROWS = 1_000, 50


class NotBlind(DomainError):
    """The judge's verdict is there, so a label would no longer be blind."""

    code = "not_blind"


class NothingToAsk(DomainError):
    """No labelled answer waits for the judge, or it is being asked."""

    code = "nothing_to_ask"


def start_calibration(
    version: JudgeVersion,
    *,
    source: Source,
    by: User | None,
    at: datetime,
    rows: int = USUAL_ROWS,
    scores: str = "",
) -> Calibration:
    """Draw answers for people to label. `scores` names scores of people to take as labels.

    Raises:
        InvalidInput: numbers out of bounds, or a judge of two without answers of a comparison.
        NothingToLabel: there is no answer.
    """
    if not 1 <= rows <= MOST_ROWS:
        raise InvalidInput(f"Label 1 to {MOST_ROWS:,} answers.")
    if version.judge.is_pairwise and not isinstance(source, Answers):
        raise InvalidInput(
            "A judge of two needs two answers to one question. Draw from a comparison."
        )
    with transaction.atomic():
        made = Calibration(version=version, created_by=by, scores=scores, created_at=at)
        _place(made, source)
        made.save(force_insert=True)
        items = draw_items(made, source, rows=rows, at=at)
        if scores and not take_scores(made, items, scores):
            raise InvalidInput(
                f"Nobody gave one of these answers a score “{scores}” that is a level of "
                f"{version}. Leave it empty and label them yourself."
            )
        CalibrationItem.objects.bulk_create(items)
    return made


def _place(calibration: Calibration, source: Source) -> None:
    if isinstance(source, Answers):
        calibration.source = Calibration.Source.COMPARISON
        calibration.comparison = source.comparison
    elif isinstance(source, DatasetVersion):
        calibration.source = Calibration.Source.DATASET
        calibration.dataset_version = source
    elif isinstance(source, Matching):
        calibration.source = Calibration.Source.LOG
        calibration.query = source.query


def give_label(item: CalibrationItem, *, label: str, by: User | None, at: datetime) -> None:
    """Say which of the judge's levels an answer deserves; saying it again changes it, as long as
    the judge was not asked.

    Raises:
        InvalidInput: the judge has no such level.
        NotBlind: the judge was asked about it.
    """
    level = item.calibration.version.settings.scale.level(label)
    if level is None:
        known = ", ".join(item.calibration.version.settings.scale.labels)
        raise InvalidInput(f"The judge has no level “{label[:60]}”. There are: {known}.")
    _change(item, label=level.label, labelled_by=by, labelled_at=at, is_skipped=False)


def skip(item: CalibrationItem, *, by: User | None, at: datetime) -> None:
    """Leave an answer out that nobody can decide on.

    Raises:
        NotBlind: the judge was asked about it.
    """
    _change(item, label="", labelled_by=by, labelled_at=at, is_skipped=True)


def undo(calibration: Calibration, *, by: User) -> CalibrationItem | None:
    """Take one's newest label or skip back; what it was of, None where there is none."""
    with transaction.atomic():
        own = CalibrationItem.objects.of(calibration).filter(labelled_by=by, asked_at=None)
        newest = own.order_by("-labelled_at").select_for_update(of=("self",)).first()
        if newest is not None:
            _change(newest, label="", labelled_by=None, labelled_at=None, is_skipped=False)
    return newest


def ask_judge(calibration: Calibration, *, by: User | None) -> Calibration:
    """Ask the judge about every labelled answer that has no verdict, as a job.

    Raises:
        NothingToAsk: there is none, or the judge is being asked.
    """
    with transaction.atomic():
        found = Calibration.objects.select_for_update(of=("self",)).get(pk=calibration.pk)
        if found.is_working:
            raise NothingToAsk("The judge is being asked. Wait until it is done.")
        waiting = CalibrationItem.objects.of(found).unjudged().count()
        if not waiting:
            raise NothingToAsk("No labelled answer waits for the judge. Label some first.")
        found.job = ASK_JUDGE.enqueue(
            project=found.project, title=f"Calibrate: {found.version}", by=by,
            payload={"calibration": str(found.pk)}, total=waiting,
        )  # fmt: skip
        found.save(update_fields=["job"])
    return found


def delete_calibration(calibration: Calibration) -> None:
    """Forget labels and verdicts; the judge's agreement is counted without them."""
    calibration.delete()


def _change(item: CalibrationItem, **values: object) -> None:
    values = {"label_from": "", **values}
    if not CalibrationItem.objects.filter(pk=item.pk, asked_at=None).update(**values):
        raise NotBlind("The judge was asked about this answer, so a label now would not be blind.")
