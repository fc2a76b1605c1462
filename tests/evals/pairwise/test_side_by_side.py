"""A judge of two over a comparison: both orders are asked, so its place decides nothing."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client

from evals.export import as_html, as_json
from evals.judges.models import JudgeVersion
from evals.judges.presets import BETTER
from evals.models import Comparison
from evals.pairwise.actions import NothingToJudge, judge_pairs
from evals.pairwise.models import Pair, Pairing
from evals.pairwise.reading import PairingReading
from tests.conftest import Cast
from tests.evals.answering import Provider
from tests.evals.calibration.factories import asked, compared
from tests.evals.factories import make_comparison
from tests.evals.judges.factories import make_judge, said
from workbench.core.errors import InvalidInput

ANSWERS = re.compile(r"<<<ANSWER_(A|B) \w+>>>\n(.*?)\n<<<END", re.S)


def knows(text: str) -> str:
    """Prefers the answer that is one."""
    answers = dict(ANSWERS.findall(text))
    if answers["A"] == answers["B"]:
        return said("tie")
    return said("B" if answers["A"] == "No idea" else "A", "One of them knows nothing.")


def make_pairwise(cast: Cast, **changes: Any) -> JudgeVersion:
    return make_judge(cast.project, "better", settings=replace(BETTER.settings, **changes))


def judged(
    cast: Cast, comparison: Comparison, version: JudgeVersion | None = None
) -> PairingReading:
    pairing = judge_pairs(comparison, version or make_pairwise(cast), by=cast.alice)
    assert asked(pairing).state == "succeeded"
    return PairingReading(Pairing.objects.get(pk=pairing.pk))


def test_a_candidate_wins_where_both_orders_say_so(cast: Cast, provider: Provider) -> None:
    provider.rules["judge"] = knows
    comparison = compared(cast, provider)
    provider.asked.clear()

    (rate,) = judged(cast, comparison).rates

    assert rate.candidate.label == "poor"
    assert rate.rate is not None
    assert (rate.rate.wins, rate.rate.ties, rate.rate.losses, rate.rate.moved) == (0, 0, 6, 0)
    assert (rate.rate.interval.mean, rate.words) == (0, "worse")
    assert len(provider.asked) == 12  # six rows, each in both orders


@pytest.mark.parametrize("place", ["A", "B"])
def test_a_judge_that_always_prefers_one_place_moves_no_win_rate(
    cast: Cast, provider: Provider, place: str
) -> None:
    provider.rules["judge"] = lambda _: said(place)
    comparison = compared(cast, provider)
    swapped = make_comparison(
        cast.project, refs=["local/poor", "local/good"],
        dataset_version=comparison.dataset_version,
    )  # fmt: skip
    asked(swapped)
    version = make_pairwise(cast)

    rates = [judged(cast, one, version).rates[0].rate for one in (comparison, swapped)]

    assert [one and one.interval.mean for one in rates] == [0.5, 0.5]
    assert [one and (one.ties, one.moved) for one in rates] == [(6, 1), (6, 1)]


def test_several_judgements_of_each_order_are_combined(cast: Cast, provider: Provider) -> None:
    replies: list[str] = []

    def wavers(text: str) -> str:
        """Every third reply about a text says the opposite."""
        replies.append(text)
        right = json.loads(knows(text))["verdict"]
        other = {"A": "B", "B": "A"}.get(right, right)
        same = sum(ANSWERS.findall(one) == ANSWERS.findall(text) for one in replies)
        return said(other if same % 3 == 0 else right)

    provider.rules["judge"] = wavers
    comparison = compared(cast, provider)
    version = make_pairwise(cast, samples=3, parameters={"temperature": 0.7, "max_tokens": 100})
    provider.asked.clear()

    (rate,) = judged(cast, comparison, version).rates

    assert rate.rate is not None
    assert (rate.rate.losses, len(provider.asked)) == (6, 36)
    assert {round(pair.agreed, 2) for pair in Pair.objects.all()} == {0.67}


def test_a_pair_without_a_verdict_is_a_failure_and_asked_for_again(
    cast: Cast, provider: Provider
) -> None:
    provider.rules["judge"] = lambda text: "Both!" if "Question 2" in text else knows(text)
    comparison, version = compared(cast, provider), make_pairwise(cast)
    (before,) = judged(cast, comparison, version).rates
    provider.rules["judge"] = knows
    provider.asked.clear()

    (after,) = judged(cast, comparison, version).rates

    assert before.rate is not None
    assert after.rate is not None
    assert (before.rate.n, before.failures) == (5, 1)
    assert (after.rate.n, after.failures, len(provider.asked)) == (6, 0, 2)
    with pytest.raises(NothingToJudge, match="every pair is judged"):
        judge_pairs(comparison, version, by=None)


def test_a_judge_of_one_answer_is_refused(cast: Cast, provider: Provider) -> None:
    comparison = compared(cast, provider)

    with pytest.raises(InvalidInput, match="judges one answer"):
        judge_pairs(comparison, make_judge(cast.project), by=None)


def test_the_page_the_report_and_the_file_tell_the_win_rate(
    cast: Cast, provider: Provider, alice: Client
) -> None:
    provider.rules["judge"] = knows
    comparison, version = compared(cast, provider), make_pairwise(cast)
    base = f"/p/{cast.project.slug}/evals/{comparison.pk}/"

    before = alice.get(f"{base}pairs/").content.decode()
    sent = alice.post(f"{base}pairs/{version.pk}/")
    asked(Pairing.objects.get())
    after = alice.get(f"{base}pairs/").content.decode()
    comparison.refresh_from_db()
    told = json.loads(b"".join(as_json(comparison)))["side_by_side"][0]

    assert "12 calls with about" in before
    assert sent.status_code == 302
    assert "clearly worse" in after
    assert "One of them knows nothing." in after
    assert "not calibrated" in after
    assert "Side by side, by better v1" in alice.get(base).content.decode()
    assert "Side by side, by better v1" in as_html(comparison)
    assert (told["against"], told["agreement"]) == ("good", None)
    assert told["candidates"][0]["win_rate"]["mean"] == 0


def test_without_a_judge_of_two_the_page_says_how_to_make_one(
    cast: Cast, provider: Provider, alice: Client
) -> None:
    comparison = compared(cast, provider)

    page = alice.get(f"/p/{cast.project.slug}/evals/{comparison.pk}/pairs/").content.decode()

    assert "There is no judge of two yet" in page


def test_pairs_are_judged_over_http(cast: Cast, provider: Provider, api: Client) -> None:
    provider.rules["judge"] = knows
    comparison = compared(cast, provider)
    make_pairwise(cast)
    url = f"/api/v1/comparisons/{comparison.pk}/pairs"

    made = api.post(url, {"judge": "better"}, content_type="application/json")
    asked(Pairing.objects.get())
    (found,) = api.get(url).json()["pairs"]

    assert (made.status_code, made.json()["state"]) == (201, "queued")
    assert (found["state"], found["candidates"][0]["losses"]) == ("succeeded", 6)
    assert found["took"]["input_tokens"] == 84
