"""Asking a judge of two about the pairs of a comparison that have no verdict."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from evals.asking import asked_about, priced_name, resolved_patiently
from evals.judges.asking import NotJudged
from evals.judges.pairs import judge_pair
from evals.judges.settings import JudgeSettings
from evals.pairwise.models import Pair, Pairing
from evals.pairwise.rows import PairRow, missing, pair_rows
from evals.storing import storable
from workbench.providers.chat import ChatCaller

LONGEST_RAW = 20_000
Report = Callable[[int, int | None, str], None]


def run_pairing(pairing: Pairing, *, report: Report) -> dict[str, Any]:
    """Ask about every pair without a verdict, each in both orders; returns how many were asked.

    A verdict is written within moments and not asked for again.
    """
    comparison, version = pairing.comparison, pairing.version
    wanted = missing(pairing)
    endpoint = resolved_patiently(
        comparison.project, version.model_ref, f"the judge {version}",
        partial(report, 0, len(wanted)),
    )  # fmt: skip
    Pairing.objects.filter(pk=pairing.pk).update(
        provider=endpoint.provider[:300], model=priced_name(endpoint)[:300]
    )
    Pair.objects.of(pairing).failed().delete()
    rows, settings, done = pair_rows(comparison, wanted), version.settings, 0
    for pairs in asked_about(
        comparison.project, [endpoint], rows, lambda one: _asker(one[0], settings, pairing)
    ):
        Pair.objects.bulk_create(pairs, ignore_conflicts=True)
        done += len(pairs)
        report(done, len(wanted), "Asking the judge")
    return {"asked": done}


def _asker(
    caller: ChatCaller, settings: JudgeSettings, pairing: Pairing
) -> Callable[[PairRow], Coroutine[Any, Any, Pair]]:
    async def ask(row: PairRow) -> Pair:
        pair = Pair(pairing=pairing, candidate=row.candidate, position=row.position)
        try:
            found = await judge_pair(caller, settings, row.answer, row.baseline)
        except NotJudged as problem:
            pair.error, spent = storable(problem.sentence)[:2000], problem.spent
            pair.raw = storable(problem.raw)[:LONGEST_RAW]
        else:
            pair.winner, pair.moved = found.winner, found.changed_with_the_order
            pair.reason, spent = storable(found.reason), found.spent
            pair.agreed = min(found.forward.agreed, found.backward.agreed)
        pair.input_tokens, pair.output_tokens = spent.input_tokens, spent.output_tokens
        return pair

    return ask
