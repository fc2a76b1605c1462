"""Requests over time, and zooming into it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from requests_log import timeline as timelines
from requests_log.models import RequestRow
from requests_log.search import parse, read_filter
from requests_log.timeline import MOST_BARS, Timeline, figure, step_for, timeline, zoomed
from tests.conftest import Cast
from tests.curate.factories import MORNING, NOON, make_request, make_requests
from tests.curate.test_log_pages import log, text_of
from workbench.core.errors import InvalidInput
from workbench.core.ids import uuid7


def shown(cast: Cast, text: str = "") -> Timeline:
    return timeline(cast.project, read_filter(text, at=NOON), at=NOON)


def test_bars_count_every_match_once(cast: Cast) -> None:
    make_requests(cast.project, 50)
    make_request(cast.project, at=NOON, status="error", answer=None)
    make_request(cast.other_project, at=NOON)

    found = shown(cast)

    assert sum(bar.count for bar in found.bars) == 51
    assert sum(bar.failed for bar in found.bars) == 1
    assert found.step == timedelta(minutes=5)
    assert found.is_exact


def test_the_query_bounds_the_bars(cast: Cast) -> None:
    make_requests(cast.project, 10)

    found = shown(cast, "since:2026-11-21T08:05 until:2026-11-21T09:00")

    assert found.bars[0].start == MORNING + timedelta(minutes=5)
    assert sum(bar.count for bar in found.bars) == 5


def test_a_bar_with_many_matches_is_an_estimate(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timelines, "SAMPLE", 20)
    rows = [
        RequestRow(
            id=uuid7(MORNING + timedelta(seconds=30 * second)),
            project=cast.project,
            started_at=MORNING,
            operation="chat",
            status="error" if second % 2 else "ok",
            request_size=2,
        )
        for second in range(120)
    ]
    RequestRow.objects.bulk_create(rows)

    found = shown(cast, "since:2026-11-21T08:00 until:2026-11-22T08:00")
    full = [bar for bar in found.bars if not bar.is_exact]

    assert found.step == timedelta(minutes=30)
    assert [bar.start for bar in full] == [MORNING, MORNING + timedelta(minutes=30)]
    for bar in full:
        assert bar.count == pytest.approx(60, rel=0.1)
        assert bar.failed == pytest.approx(30, rel=0.1)


def test_a_query_for_text_shows_its_newest_matches(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_requests(cast.project, 10)
    make_request(cast.project, at=NOON, question="something else")

    whole = shown(cast, "question since:1d")
    monkeypatch.setattr(timelines, "TEXT_WINDOW", 4)
    newest = shown(cast, "question since:1d")

    assert sum(bar.count for bar in whole.bars) == 10
    assert whole.newest == 0
    assert sum(bar.count for bar in newest.bars) == newest.newest == 4
    assert newest.bars[0].start == MORNING + timedelta(minutes=6)
    assert shown(cast, "nowhere since:1d").bars == ()


def test_nothing_gives_no_bars(cast: Cast) -> None:
    assert shown(cast).bars == ()
    assert shown(cast, "modle:x").bars == ()
    assert figure(shown(cast))["data"][0]["x"] == []


@given(st.timedeltas(timedelta(0), timedelta(days=40_000)))
def test_at_most_sixty_steps_cover_any_length(length: timedelta) -> None:
    assert length / step_for(length) <= MOST_BARS - 1


def test_counting_that_takes_too_long_is_told(
    cast: Cast, alice: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_request(cast.project)
    monkeypatch.setattr(timelines, "LIMIT_MS", 50)
    slow = timelines._BARS.replace("FROM unnest", "FROM pg_sleep(600), unnest")
    monkeypatch.setattr(timelines, "_BARS", slow)

    page = text_of(alice.get(log(cast, "timeline/")))

    assert "Choose a shorter span" in page
    assert RequestRow.objects.in_project(cast.project).count() == 1


@pytest.mark.parametrize(
    ("query", "start", "end", "expected"),
    [
        ("model:a", "2026-11-20", "", "model:a since:2026-11-20T00:00:00"),
        ("since:7d a", "7d", "", "a since:7d"),
        ("since:7d until:1d a", "", "", "a"),
        (
            "since:7d",
            "2026-11-20T08:00:01.25",
            "2026-11-20T09:00",
            "since:2026-11-20T08:00:01 until:2026-11-20T09:00:00",
        ),
        (
            "",
            "2026-11-20T09:00",
            "2026-11-20T08:00",
            "since:2026-11-20T08:00:00 until:2026-11-20T09:00:00",
        ),
    ],
)
def test_zooming_edits_the_query(query: str, start: str, end: str, expected: str) -> None:
    assert zoomed(parse(query), start, end).to_text() == expected


def test_zooming_to_nonsense_is_refused() -> None:
    with pytest.raises(InvalidInput, match="two dates"):
        zoomed(parse(""), "soon", "")


def test_the_zoomed_list_is_at_an_address_of_its_own(cast: Cast, alice: Client) -> None:
    answer = alice.get(
        log(cast, "zoom/"), {"q": "since:1h -status:ok", "from": "2026-11-20 08:00", "to": "9h"}
    )

    address = urlsplit(answer.headers["Location"])
    assert address.path == log(cast)
    assert parse_qs(address.query)["q"] == ["-status:ok since:2026-11-20T08:00:00 until:9h"]


def test_the_dates_beside_the_bars_hold_the_span_that_is_shown(cast: Cast, alice: Client) -> None:
    make_requests(cast.project, 3)

    page = text_of(alice.get(log(cast, "timeline/"), {"q": '"Question"'}))

    assert 'name="from" step="1" value="2026-11-21T08:00:00"' in page
    assert 'name="to" step="1" value="2026-11-21T08:02:05"' in page
    assert 'name="q" value="&quot;Question&quot;"' in page


def test_a_bar_knows_where_it_ends(cast: Cast) -> None:
    make_requests(cast.project, 3)

    drawn = figure(shown(cast))

    assert drawn["data"][0]["x"][0] == "2026-11-21 08:00:00"
    assert drawn["data"][0]["customdata"][0] == ["", "2026-11-21 08:00:05"]


def test_the_figure_names_its_times_in_utc(cast: Cast) -> None:
    make_request(cast.project, at=datetime(2026, 11, 21, 8, tzinfo=UTC))

    drawn = figure(shown(cast))

    assert drawn["data"][0]["x"][0] == "2026-11-21 08:00:00"
    assert [one["name"] for one in drawn["data"]] == ["ok", "not ok"]
    assert drawn["layout"]["yaxis"]["dtick"] == 1  # there is no half request
