"""The pairs that a run made, written as rows of their own: judged, and repeats told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.db import transaction
from django.utils import timezone

from evals.documents.models import Making, Pair
from evals.documents.reading import Pair as Said
from evals.documents.repeats import repeats
from evals.documents.steps import GENERATE, SUPPORT
from evals.pipelines.models import Cell, Row, Run

CHUNK = 500
NOT_REACHED = "The run stopped before the judge was asked."


def gather_run(run: Run) -> None:
    """Write the pairs of a run that makes some; of another run there is nothing to do."""
    for making in Making.objects.filter(run=run).select_related("run__definition"):
        gather(making)


def gather(making: Making) -> int:
    """Write the run's pairs, and find out which repeat another; returns how many there are.

    Doing it again adds what is new and brings verdicts up to date; what people changed stays.
    """
    with transaction.atomic():
        held = Making.objects.select_for_update().get(pk=making.pk)
        known = dict(held.pairs.values_list("number", "pk"))
        found = list(_pairs(making))
        new = [one for one in found if one.number not in known]
        Pair.objects.bulk_create(new, batch_size=CHUNK)
        _judge_again(known, found)
        _tell_repeats(held)
        held.lost, held.gathered_at = _lost(making), timezone.now()
        held.save(update_fields=["lost", "gathered_at"])
    making.lost, making.gathered_at = held.lost, held.gathered_at
    return len(known) + len(new)


def _pairs(making: Making) -> Iterator[Pair]:
    steps = {step["kind"]: at for at, step in enumerate(making.run.definition.steps)}
    judged = steps.get(SUPPORT)
    made = steps[GENERATE] + 1
    rows = Row.objects.of_run(making.run).filter(first_step=made, parent__isnull=False)
    cells = {
        cell.row_id: cell for cell in Cell.objects.filter(run=making.run, step=judged)
    } if judged is not None else {}  # fmt: skip
    for row in rows.order_by("position").iterator(chunk_size=CHUNK):
        verdict, reason = _verdict(cells.get(row.pk), is_checked=judged is not None)
        yield _pair(making, row, verdict, reason)


def _pair(making: Making, row: Row, verdict: str, reason: str) -> Pair:
    told: dict[str, Any] = row.variables
    return Pair(
        making=making,
        number=row.position,
        document=str(told.get("document") or "")[:200],
        heading=str(told.get("heading") or ""),
        page=told.get("page"),
        start=told.get("start") or 0,
        end=told.get("end") or 0,
        chunk=told["chunk"],
        question=told["question"],
        answer=told["answer"],
        verdict=verdict,
        reason=reason,
    )


def _verdict(cell: Cell | None, *, is_checked: bool) -> tuple[str, str]:
    """What the judge said; a reply that could not be read is no verdict."""
    if not is_checked:
        return Pair.Verdict.UNCHECKED, ""
    if cell is None:
        return Pair.Verdict.UNJUDGED, NOT_REACHED
    if cell.state == Cell.State.FAILED:
        return Pair.Verdict.UNJUDGED, cell.error
    said = cell.value
    verdict = Pair.Verdict.SUPPORTED if said["supported"] else Pair.Verdict.UNSUPPORTED
    return verdict, said["reason"]


def _judge_again(known: dict[int, Any], found: list[Pair]) -> None:
    """Verdicts that a run which went on brought, but for pairs that somebody changed since."""
    fresh = [one for one in found if one.number in known]
    for one in fresh:
        one.pk = known[one.number]
    unchanged = set(
        Pair.objects.filter(pk__in=known.values(), first_question="").values_list("pk", flat=True)
    )
    Pair.objects.bulk_update(
        [one for one in fresh if one.pk in unchanged], ["verdict", "reason"], batch_size=CHUNK
    )


def _tell_repeats(making: Making) -> None:
    """Among the sound pairs: one that is not supported makes no other one a repeat."""
    rows = list(making.pairs.filter(verdict__in=Pair.SOUND).order_by("number"))
    found = repeats([Said(one.question, one.answer) for one in rows])
    making.pairs.exclude(repeats=None).update(repeats=None, likeness=None)
    for place, repeat in found.items():
        rows[place].repeats = rows[repeat.first].number
        rows[place].likeness = repeat.likeness
    Pair.objects.bulk_update(
        [rows[place] for place in found], ["repeats", "likeness"], batch_size=CHUNK
    )


def _lost(making: Making) -> dict[str, int]:
    """What was no pair, by reason; and chunks of which nothing came."""
    step = next(at for at, one in enumerate(making.run.definition.steps) if one["kind"] == GENERATE)
    counted: Counter[str] = Counter()
    for cell in Cell.objects.filter(run=making.run, step=step).iterator(chunk_size=CHUNK):
        if cell.state == Cell.State.FAILED:
            counted[f"The teacher did not answer. {cell.error}"[:300]] += 1
        else:
            counted.update(one["reason"] for one in cell.value["dropped"])
    return dict(counted.most_common(20))
