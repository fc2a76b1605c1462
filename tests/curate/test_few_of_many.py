"""Lists of what few or many requests have: tags, scores, costs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from requests_log import leads
from requests_log import timeline as timelines
from requests_log.api.filters import asked_page
from requests_log.listing import Listing, listing, neighbours
from requests_log.models import Digest, LoggedRequest, RequestTags
from requests_log.search import read_filter
from requests_log.timeline import Timeline, timeline
from tests.conftest import Cast
from tests.curate.factories import MORNING, NOON, make_request, make_score

QUERIES = [
    "tag.route:a",
    "tag.route:a tag.tier:gold",
    "tag.route:a,b status:error",
    "tag.route:none",
    "score.helpful:no",
    "score.helpful:no tag.route:a",
    "score.helpful:no score.quality:>0.5",
    "cost:>0.5",
    "cost:0.2..0.6 tag.route:b",
    "cost:>0.5 model:none",
    "-tag.route:a cost:>0.1",
    'score.helpful:no "question 1"',
    "tag.route:a since:2026-11-21T08:10",
]


@pytest.fixture
def log(cast: Cast) -> list[UUID]:
    """Thirty requests a minute apart with tags, costs, and scores of their own or of a trace."""
    made = []
    for number in range(30):
        row = make_request(
            cast.project,
            at=MORNING + timedelta(minutes=number),
            question=f"question {number}",
            tags={"route": "ab"[number % 2], "tier": ("gold", "free", "free")[number % 3]},
            status="error" if number % 5 == 0 else "ok",
            trace_id=f"trace {number}" if number % 4 == 3 else None,
        )
        Digest.objects.filter(id=row.id).update(cost=number / 30)
        about: dict[str, Any] = {"trace_id": row.trace_id} if row.trace_id else {"request": row}
        make_score(cast.project, "helpful", number=float(number % 3 == 0), **about)
        make_score(cast.project, "quality", number=number / 30, request=row)
        made.append(row.id)
    return made


@pytest.fixture(params=["few", "many"])
def share(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Whether what leads to the matches finds few enough to look at each."""
    if request.param == "many":
        where = {name: (model, column, 2) for name, (model, column, _) in leads._WHERE.items()}
        monkeypatch.setattr(leads, "_WHERE", where)
    return str(request.param)


def listed(cast: Cast, query: str, **cursor: str) -> Listing:
    return listing(cast.project, query=query, at=NOON, **cursor)


def over_time(cast: Cast, query: str) -> Timeline:
    return timeline(cast.project, read_filter(query, at=NOON), at=NOON)


def expected(cast: Cast, query: str) -> list[UUID]:
    rows = LoggedRequest.objects.in_project(cast.project)
    found = rows.filter(read_filter(query, at=NOON).condition)
    return list(found.order_by("-id").values_list("id", flat=True))


@pytest.mark.usefixtures("log", "share")
@pytest.mark.parametrize("query", QUERIES)
def test_few_and_many_matches_are_listed_counted_and_drawn_exactly(cast: Cast, query: str) -> None:
    ids = expected(cast, query)

    shown = listed(cast, query)
    bars = over_time(cast, query).bars

    assert [row.id for row in shown.page.rows] == ids
    assert (shown.total, shown.is_capped) == (len(ids), False)
    assert sum(bar.count for bar in bars) == len(ids)


@pytest.mark.usefixtures("log", "share")
def test_facets_of_few_and_many_matches_are_the_same(cast: Cast) -> None:
    facets = {facet.name: facet.values for facet in listed(cast, "tag.route:a cost:>0.5").facets}

    assert {one.label: one.count for one in facets["tag.route"]} == {"a": 7, "b": 7}
    assert {one.label: one.count for one in facets["Status"]} == {"ok": 6, "error": 1}


@pytest.mark.usefixtures("share")
def test_pages_of_matches_go_on_in_both_directions(
    cast: Cast, log: list[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    older = listed(cast, "tag.route:a", before=str(log[20]))
    newer = listed(cast, "tag.route:a", after=str(log[20]))

    assert [row.id for row in older.page.rows] == log[18::-2]
    assert [row.id for row in newer.page.rows] == log[28:20:-2]


@pytest.mark.usefixtures("share")
def test_a_request_lies_between_the_matches_before_and_after(cast: Cast, log: list[UUID]) -> None:
    found = neighbours(cast.project, log[15], query="tag.route:a", at=NOON)
    last = neighbours(cast.project, log[28], query="tag.route:a", at=NOON)

    assert found == (log[14], log[16])
    assert last == (log[26], None)


@pytest.mark.usefixtures("share")
def test_the_api_pages_through_the_same_matches(cast: Cast, log: list[UUID]) -> None:
    asked = {"q": "tag.route:a cost:>0.2", "before": str(log[20]), "limit": "3", "status": "ok"}

    page = asked_page(cast.project, asked, at=NOON)

    assert [row.id for row in page.rows] == [log[18], log[16], log[14]]
    assert page.older == log[14]


@pytest.mark.usefixtures("log")
def test_many_matches_are_counted_among_the_latest_requests(
    cast: Cast, alice: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leads, "_WHERE", {"tag": (RequestTags, "id", 2)})
    monkeypatch.setattr(leads, "LOOKED_AT", 10)

    shown = listed(cast, "tag.route:a")

    assert (shown.total, shown.total_text, shown.is_capped) == (5, "5+", True)
    assert len(shown.page.rows) == 15
    assert listed(cast, "tag.route:a since:2026-11-21T08:25").total_text == "2"


@pytest.mark.usefixtures("log")
def test_bars_of_many_matches_are_estimates_from_the_first_requests_of_each(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leads, "_WHERE", {"tag": (RequestTags, "id", 2)})
    monkeypatch.setattr(timelines, "LOOKED_AT", 4)

    shown = over_time(cast, "tag.route:a since:2026-11-21T08:00 until:2026-11-22T08:00")

    assert not shown.is_exact
    assert shown.bars[0].start == MORNING
    assert 10 <= sum(bar.count for bar in shown.bars) <= 25
