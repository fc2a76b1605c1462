"""Two answers side by side: the order in which they stand must decide nothing."""

from __future__ import annotations

import json
import re

import pytest

from evals.graders.base import Answered
from evals.judges.pairs import FIRST, SECOND, TIE, PairVerdict, judge_pair, win_rate
from evals.judges.presets import BETTER
from tests.evals.answering import Provider
from workbench.providers.chat import ChatCaller
from workbench.providers.refs import Endpoint

LONG, SHORT = Answered("a long answer", "", question="?"), Answered("short", "", question="?")


def said(verdict: str) -> str:
    return json.dumps({"reason": "So it is.", "verdict": verdict})


def prefers_the_long_one(asked: str) -> str:
    texts = dict(re.findall(r"<<<ANSWER_(A|B) \w+>>>\n(.*?)\n<<<END", asked, re.S))
    return said("A" if len(texts["A"]) > len(texts["B"]) else "B")


async def pair(provider: Provider, first: Answered, second: Answered) -> PairVerdict:
    endpoint = Endpoint(provider.url, "", "judge", label="local", private=True)
    async with ChatCaller(endpoint) as caller:
        return await judge_pair(caller, BETTER.settings, first, second)


async def test_an_answer_wins_when_both_orders_say_so(provider: Provider) -> None:
    provider.rules["judge"] = prefers_the_long_one

    one, other = await pair(provider, LONG, SHORT), await pair(provider, SHORT, LONG)

    assert (one.winner, other.winner) == (FIRST, SECOND)
    assert not one.changed_with_the_order
    assert one.spent.input_tokens == 14


@pytest.mark.parametrize("place", ["A", "B"])
async def test_a_judge_that_always_prefers_one_place_moves_no_win_rate(
    provider: Provider, place: str
) -> None:
    provider.rules["judge"] = lambda _: said(place)

    one = [await pair(provider, LONG, SHORT) for _ in range(4)]
    swapped = [await pair(provider, SHORT, LONG) for _ in range(4)]

    rates = [
        win_rate([v.winner for v in found], [v.changed_with_the_order for v in found])
        for found in (one, swapped)
    ]
    assert [rate.interval.mean for rate in rates] == [0.5, 0.5]
    assert [rate.ties for rate in rates] == [4, 4]
    assert [rate.moved for rate in rates] == [1, 1]


def test_swapping_the_candidates_mirrors_a_win_rate() -> None:
    winners = [FIRST, FIRST, TIE, SECOND]
    mirrored = [{FIRST: SECOND, SECOND: FIRST}.get(one, TIE) for one in winners]

    rate, other = win_rate(winners, [False] * 4), win_rate(mirrored, [False] * 4)

    assert rate.interval.mean == 1 - other.interval.mean == 0.625
    assert (
        (rate.wins, rate.ties, rate.losses) == (other.losses, other.ties, other.wins) == (2, 1, 1)
    )
