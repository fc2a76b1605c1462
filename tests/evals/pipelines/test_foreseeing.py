"""What a run will ask anew is known before it starts."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.test import Client

from evals.pipelines.actions import Source
from evals.pipelines.definition import read_steps
from evals.pipelines.estimating import Estimate, estimate
from requests_log.models import Price
from tests.conftest import Cast
from tests.evals.answering import Provider
from tests.evals.factories import make_connection
from tests.evals.pipelines.factories import (
    TEACH,
    make_pipeline,
    make_run,
    numbered,
    perform_run,
    step,
)

KEEP_FEW = step("filter", "few", value="teacher", condition="is not", than="Answer 0")
MORE = step("prompt", "more", model="local/good", template="More of {{teacher}}?")


def foreseen(cast: Cast, *steps: dict[str, Any], rows: list[dict[str, Any]]) -> Estimate:
    return estimate(cast.project, read_steps(list(steps)), Source.of_rows(rows))


def cells(told: Estimate) -> list[tuple[int, int]]:
    return [(one.cells_asked, one.cells_reused) for one in told.steps]


def test_new_rows_and_changed_steps_are_asked_and_the_rest_is_reused(
    cast: Cast, provider: Provider
) -> None:
    make_connection(cast.project, provider.url)
    perform_run(make_run(make_pipeline(cast.project, TEACH, KEEP_FEW, MORE)))
    provider.asked.clear()

    same = foreseen(cast, TEACH, KEEP_FEW, MORE, rows=numbered(6))
    longer = foreseen(cast, TEACH, KEEP_FEW, MORE, rows=numbered(9))
    again = step("prompt", "more", model="local/good", template="Again {{teacher}}?")
    changed = foreseen(cast, TEACH, KEEP_FEW, again, rows=numbered(6))

    assert cells(same) == [(0, 6), (0, 0), (0, 5)]  # the filter leaves one out
    assert cells(longer) == [(3, 6), (0, 0), (3, 5)]
    assert cells(changed) == [(0, 6), (0, 0), (5, 0)]
    assert (same.cost, longer.rows, longer.is_whole) == (Decimal(0), 9, True)
    assert provider.asked == []


def test_only_what_is_asked_anew_is_priced(cast: Cast, provider: Provider) -> None:
    make_connection(cast.project, provider.url)
    Price.objects.create(
        project=cast.project, provider="local", model="good", input=1, cached=1, output=1_000,
        valid_from=datetime(2020, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    teach = step("prompt", "t", **TEACH["settings"], parameters={"max_tokens": 1_000})
    perform_run(make_run(make_pipeline(cast.project, teach)))

    old, new = (foreseen(cast, teach, rows=numbered(many)) for many in (6, 8))

    assert (old.cost, old.steps[0].calls) == (Decimal(0), 0)
    assert new.steps[0].calls == 2
    assert Decimal(2) < new.cost < Decimal("2.01")  # two answers of a thousand tokens


def test_the_same_question_of_several_rows_is_asked_once(cast: Cast, provider: Provider) -> None:
    make_connection(cast.project, provider.url)

    told = foreseen(cast, TEACH, rows=[{"n": 1}, {"n": 1}, {"n": 2}])
    always = foreseen(
        cast, step("prompt", "t", **TEACH["settings"], reuse=False), rows=[{"n": 1}, {"n": 1}]
    )

    assert (told.steps[0].calls, told.steps[0].cells_asked) == (2, 3)
    assert always.steps[0].calls == 2


def test_the_rows_of_a_run_are_priced_and_run_again_over_http(
    api: Client, cast: Cast, provider: Provider
) -> None:
    make_connection(cast.project, provider.url)
    run = perform_run(make_run(make_pipeline(cast.project)))
    one = f"/api/v1/pipelines/{run.pipeline_id}"

    def send(path: str) -> Any:
        return api.post(f"{one}/{path}", {"run": str(run.pk)}, content_type="application/json")

    priced, started = send("dry-run").json(), send("runs")

    assert (priced["cells_asked"], priced["cells_reused"], priced["is_whole"]) == (0, 6, True)
    assert started.status_code == 201
    elsewhere = make_run(make_pipeline(cast.other_project))
    body = {"run": str(elsewhere.pk)}
    assert api.post(f"{one}/dry-run", body, content_type="application/json").status_code == 404
