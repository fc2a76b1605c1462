"""What a comparison reports beside scores: wins, time, cost, slices; and as a file."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from evals.models import Candidate, Cell, Comparison
from evals.results import summaries
from evals.slices import slices_of
from requests_log.datasets.actions import create_dataset, freeze_version
from requests_log.datasets.harvest import harvest_chunk
from requests_log.datasets.models import DatasetVersion, VersionRow
from requests_log.digest import prices
from requests_log.models import Price
from tests.conftest import Cast
from tests.curate.factories import make_request
from tests.evals.answering import Provider
from tests.evals.factories import HOSTILE, NOON, make_cells, make_comparison, make_connection
from tests.evals.test_comparison_pages import candidates_of, evals, finish, text_of
from tests.evals.test_running import run
from workbench.core.models import Project


def make_done(cast: Cast, *scores: list[float | None], **fields: Any) -> Comparison:
    refs = [f"local/{name}" for name in "abcd"[: len(scores)]]
    comparison = make_comparison(cast.project, refs=refs, **fields)
    for candidate, own in zip(candidates_of(comparison), scores, strict=True):
        make_cells(candidate, own)
    return finish(comparison)


def version_of_requests(project: Project, *tags: dict[str, Any]) -> DatasetVersion:
    """A version whose rows came from requests with these tags; all held out."""
    rows = [make_request(project, question=f"Q{n}", tags=one) for n, one in enumerate(tags)]
    dataset = create_dataset(project, name="From the log", by=None)
    harvest_chunk(dataset, [row.id for row in rows])
    return freeze_version(dataset, by=None, at=NOON, split=(0, 100))


def test_ties_count_half_of_a_win(cast: Cast) -> None:
    comparison = make_done(cast, [0, 0, 0, 1, 1, 1], [1, 1, 0, 1, 1, 0])

    difference = summaries(comparison)[1].difference

    assert difference is not None
    assert (difference.better, difference.worse) == (2, 1)
    assert difference.win_rate == pytest.approx((2 + 3 / 2) / 6)


def test_times_are_told_by_median_and_95th_percentile(cast: Cast) -> None:
    comparison = make_done(cast, [1, 1, 1, 1, 1, None])
    cells = Cell.objects.of_comparison(comparison).graded().order_by("position")
    for milliseconds, cell in zip((10.0, 20.0, 30.0, 40.0, 50.0), cells, strict=True):
        Cell.objects.filter(pk=cell.pk).update(milliseconds=milliseconds)

    (summary,) = summaries(comparison)

    assert summary.milliseconds == 30.0
    assert summary.slowest == pytest.approx(48.0)


def test_a_thousand_calls_cost_what_the_price_of_the_day_says(
    cast: Cast, provider: Provider
) -> None:
    make_connection(cast.project, provider.url)
    Price.objects.create(
        project=cast.project, provider="local", model="good", input=Decimal(10),
        cached=Decimal(1), output=Decimal(100), valid_from=datetime(2020, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    prices.load()
    comparison = make_comparison(cast.project, refs=["local/good", "local/poor"])

    assert run(comparison).state == "succeeded"

    good, poor = summaries(comparison)
    # 7 tokens in at $10 and 3 out at $100 for a million
    assert good.cost == pytest.approx((7 * 10 + 3 * 100) / 1e6 * 1000)
    assert poor.cost is None


def test_rows_are_sliced_by_the_tags_of_their_requests(alice: Client, cast: Cast) -> None:
    routes = ["refund"] * 6 + ["parcel"] * 5 + ["rare"] * 2
    tags = [{"route": route, "id": str(n), "one": "same"} for n, route in enumerate(routes)]
    version = version_of_requests(cast.project, *tags)
    comparison = make_done(cast, [1.0] * 13, [0.0] * 13, dataset_version=version)
    tell_apart(comparison, version, tags)

    found = slices_of(comparison, candidates_of(comparison))

    assert [(one.tag, one.value, one.rows) for one in found] == [
        ("route", "refund", 6),
        ("route", "parcel", 5),
    ]
    assert [[score and score.mean for score in one.scores] for one in found] == [[1, 1], [1, 0]]
    assert found[0].query == "tag.route:refund"
    page = text_of(alice.get(evals(cast, f"{comparison.pk}/slices/")))
    assert "refund" in page
    assert f"/p/{cast.project.slug}/?q=tag.route%3Arefund" in page


def tell_apart(comparison: Comparison, version: DatasetVersion, tags: list[dict[str, Any]]) -> None:
    """The second candidate is right where the route is refund."""
    second = comparison.candidates.get(position=1)
    of_refund = {f"Q{n}" for n, one in enumerate(tags) if one["route"] == "refund"}
    for row in VersionRow.objects.filter(version=version).select_related("content"):
        if row.content.question in of_refund:
            Cell.objects.filter(candidate=second, position=row.position).update(score=1.0)


def test_without_tags_the_page_says_what_slices_need(alice: Client, cast: Cast) -> None:
    comparison = make_done(cast, [1, 1, 1, 0, 0, 0])

    page = text_of(alice.get(evals(cast, f"{comparison.pk}/slices/")))

    assert "No slice to show" in page


def test_the_rows_a_candidate_loses_are_a_view_of_their_own(alice: Client, cast: Cast) -> None:
    comparison = make_done(cast, [1, 1, 1, 0, 0, 1], [0, 1, 1, 1, 0, 0])

    page = text_of(alice.get(evals(cast, f"{comparison.pk}/?show=worse-1")))

    assert 'b loses to the first <span class="tabs__count">2<' in page
    assert "2 rows of 2" in page
    assert "a loses to the first" not in page


def test_the_json_file_holds_results_and_every_row(alice: Client, cast: Cast) -> None:
    comparison = make_done(cast, [1, 0, 1, 0, 1, None], [1, 1, 1, 1, 1, 1])

    answer = alice.get(evals(cast, f"{comparison.pk}/report.json"))

    assert 'filename="who-knows-more.json"' in answer.headers["Content-Disposition"]
    found = json.loads(answer.getvalue())
    assert found["content_hash"] == comparison.dataset_version.content_hash
    first, second = found["candidates"]
    assert (first["wrong"], first["failures"]) == (2, 1)
    assert second["difference"]["win_rate"] == pytest.approx((2 + 3 / 2) / 5)
    assert len(found["rows"]) == 6
    assert found["rows"][0]["question"][-1]["role"] == "user"
    assert found["rows"][0]["expected"]["content"].startswith("Answer")
    assert {len(row["answers"]) for row in found["rows"]} == {2}


def test_the_json_file_of_a_comparison_that_asked_nobody_is_whole(
    alice: Client, cast: Cast
) -> None:
    comparison = finish(make_comparison(cast.project), "cancelled")

    answer = alice.get(evals(cast, f"{comparison.pk}/report.json"))

    found = json.loads(answer.getvalue())
    assert found["candidates"][0]["score"] is None
    assert [row["answers"] for row in found["rows"]] == [{}] * 6


def test_the_html_file_needs_nothing_from_anywhere_and_runs_no_answer(
    alice: Client, cast: Cast
) -> None:
    comparison = make_done(cast, [1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0], name=HOSTILE)
    second = Candidate.objects.get(comparison=comparison, position=1)
    second.cells.update(answer=HOSTILE)

    page = text_of(alice.get(evals(cast, f"{comparison.pk}/report.html")))

    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "Where b loses to the first" in page
    assert "src=" not in page.replace("data:", "").split("<script>")[0].replace("&lt;img src=x", "")
    assert '"#0f766e"' in page


@pytest.mark.parametrize("path", ["slices/", "report.json", "report.html"])
def test_a_stranger_gets_no_report(cast: Cast, path: str) -> None:
    comparison = make_done(cast, [1, 1, 1, 1, 1, 1])
    charlie = Client()
    charlie.force_login(cast.charlie)

    assert charlie.get(evals(cast, f"{comparison.pk}/{path}")).status_code == 404
