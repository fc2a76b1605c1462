"""Calibrations over a comparison whose candidates are right and wrong."""

from __future__ import annotations

from typing import Any

from evals.calibration.actions import give_label, start_calibration
from evals.calibration.drawing import Answers
from evals.calibration.models import Calibration, CalibrationItem
from evals.calibration.texts import materials
from evals.judges.models import JudgeVersion
from evals.models import Comparison
from tests.conftest import Cast
from tests.evals.answering import Provider
from tests.evals.factories import NOON, make_comparison, make_connection
from tests.evals.judges.factories import make_judge
from tests.evals.test_running import run
from workbench.core.models import Job
from workbench.core.queue import perform


def compared(cast: Cast, provider: Provider, **fields: Any) -> Comparison:
    """Twelve answers: six right ones and six that say “No idea”."""
    make_connection(cast.project, provider.url)
    comparison = make_comparison(cast.project, refs=["local/good", "local/poor"], **fields)
    run(comparison)
    return comparison


def make_calibration(
    cast: Cast, provider: Provider, version: JudgeVersion | None = None, **fields: Any
) -> Calibration:
    source = fields.pop("source", None) or Answers(compared(cast, provider))
    version = version or make_judge(cast.project)
    return start_calibration(version, source=source, by=cast.alice, at=NOON, **fields)


def label_all(calibration: Calibration, *, wrong: int = 0) -> None:
    """As a person would: what is no idea fails, what is an answer passes; but for `wrong` ones of
    the latter, which they do not like."""
    items = list(CalibrationItem.objects.of(calibration).in_order())
    for one in materials(calibration.project, items):
        label = "fail" if one.answers[0] == "No idea" else "pass"
        if label == "pass" and wrong:
            label, wrong = "fail", wrong - 1
        give_label(one.item, label=label, by=None, at=NOON)


def asked(thing: Any) -> Job:
    """The job of a calibration, a pairing or a comparison, done as a worker does it."""
    thing.refresh_from_db()
    assert thing.job is not None
    perform(thing.job.pk, holder="test")
    return Job.objects.get(pk=thing.job.pk)
