"""Asking a judge about the labelled answers of a calibration."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from typing import Any

from django.utils import timezone

from evals.asking import CHUNK, asked_about, resolved_patiently
from evals.calibration.models import Calibration, CalibrationItem
from evals.calibration.texts import Material, materials
from evals.judges.asking import NotJudged, Spent, judge_answer
from evals.judges.pairs import LABELS, judge_pair
from evals.judges.settings import JudgeSettings
from evals.storing import storable
from workbench.providers.chat import ChatCaller

ANSWERED = ("verdict", "reason", "error", "input_tokens", "output_tokens", "asked_at")
Report = Callable[[int, int | None, str], None]


def ask_about(calibration: Calibration, *, report: Report) -> dict[str, Any]:
    """Ask for every verdict that is missing; returns how many there are now.

    A verdict is written within moments and not asked for again.
    """
    version, project = calibration.version, calibration.project
    waiting = CalibrationItem.objects.of(calibration).unjudged().in_order()
    total, done = waiting.count(), 0
    endpoint = resolved_patiently(
        project, version.model_ref, f"the judge {version}", partial(report, 0, total)
    )
    chunks = _chunks(calibration, list(waiting.values_list("pk", flat=True)))
    settings = version.settings
    for items in asked_about(project, [endpoint], chunks, lambda one: _asker(one[0], settings)):
        CalibrationItem.objects.bulk_update(items, ANSWERED)
        done += len(items)
        report(done, total, "Asking the judge")
    found = CalibrationItem.objects.of(calibration)
    return {"judged": found.judged().count(), "failed": found.failed().count()}


def _chunks(calibration: Calibration, keys: list[Any]) -> Iterator[list[Material]]:
    for start in range(0, len(keys), CHUNK):
        found = CalibrationItem.objects.filter(pk__in=keys[start : start + CHUNK]).in_order()
        yield materials(calibration.project, list(found))


def _asker(
    caller: ChatCaller, settings: JudgeSettings
) -> Callable[[Material], Coroutine[Any, Any, CalibrationItem]]:
    async def ask(material: Material) -> CalibrationItem:
        item = material.item
        item.verdict, item.reason, item.error = "", "", ""
        try:
            spent = await _ask(caller, settings, material)
        except NotJudged as problem:
            item.error, spent = storable(problem.sentence)[:2000], problem.spent
        item.input_tokens, item.output_tokens = spent.input_tokens, spent.output_tokens
        item.asked_at = timezone.now()
        return item

    return ask


async def _ask(caller: ChatCaller, settings: JudgeSettings, material: Material) -> Spent:
    """Put verdict and reason into the item; what it took.

    Raises:
        NotJudged: there is no verdict.
    """
    item = material.item
    if item.right_id is not None:
        pair = await judge_pair(caller, settings, material.first, material.second)
        item.verdict, item.reason = LABELS[pair.winner], storable(pair.reason)
        return pair.spent
    verdict = await judge_answer(caller, settings, material.first)
    item.verdict, item.reason = verdict.label, storable(verdict.reason)
    return verdict.spent
