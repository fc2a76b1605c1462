"""Runs that ask through a provider's Batch API."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from openai import OpenAI

from evals.pipelines import batches
from evals.pipelines.actions import (
    NoBatchApi,
    RunIsWorking,
    Source,
    cancel_run,
    delete_pipeline,
    resume_run,
)
from evals.pipelines.batches import look_for_due_batches
from evals.pipelines.definition import stored_steps
from evals.pipelines.estimating import estimate
from evals.pipelines.models import Batch, Call, Cell, Row, Run
from requests_log.models import Price
from tests.conftest import Cast
from tests.evals.factories import make_connection
from tests.evals.pipelines import worker
from tests.evals.pipelines.batch_provider import BatchProvider, batch_provider
from tests.evals.pipelines.factories import make_pipeline, make_run, perform_run, step
from workbench.core.models import Job
from workbench.core.queue import perform
from workbench.providers.limits import Limits

ASK = step("prompt", "ask", model="local/any", template="Question {{n}}?")
AGAIN = step("prompt", "again", model="local/any", template="More of {{ask}}")


@pytest.fixture
def provider() -> Iterator[BatchProvider]:
    with batch_provider() as running:
        yield running


def connect(cast: Cast, provider: BatchProvider) -> None:
    make_connection(cast.project, provider.url, limits=Limits(batches=True), credential="k-1")


def rows(many: int) -> list[dict[str, int]]:
    return [{"n": n} for n in range(many)]


def batch_run(cast: Cast, *steps: dict[str, object], many: int = 5, **fields: object) -> Run:
    pipeline = make_pipeline(cast.project, *(steps or (ASK,)))
    return perform_run(make_run(pipeline, rows(many), in_batches=True, **fields))


def looked(run: Run) -> Run:
    """The run after the worker looked at what is due, and did what came of it."""
    Batch.objects.of_run(run).update(look_at=timezone.now())
    look_for_due_batches(timezone.now() + timedelta(seconds=1))
    for kind in ("pipelines.look_at_batch", "pipelines.run"):
        for job in Job.objects.filter(kind=kind, state=Job.State.QUEUED):
            perform(job.pk, holder="test")
    return Run.objects.select_related("job", "pipeline__project", "definition").get(pk=run.pk)


def price(cast: Cast, dollars: str = "100") -> None:
    rate = Decimal(dollars)
    Price.objects.create(
        project=cast.project, provider="local", model="any", input=rate, cached=rate, output=rate,
        valid_from=datetime(2020, 1, 1, tzinfo=UTC),
    )  # fmt: skip


def test_answers_of_a_batch_land_in_the_cells(cast: Cast, provider: BatchProvider) -> None:
    connect(cast, provider)
    price(cast)

    waiting = batch_run(cast)
    still = looked(waiting)
    provider.finish()
    done = looked(waiting)

    assert (waiting.state, still.state, done.state, done.note) == ("batch", "batch", "done", "")
    cells = Cell.objects.of_run(done).order_by("row__position")
    assert [cell.value for cell in cells] == [f"QUESTION {n}?" for n in range(5)]
    # 15 tokens for a hundredth of a cent each, at half price.
    assert {cell.cost for cell in cells} == {Decimal("0.00075")}
    assert not any(cell.reused for cell in cells)
    assert Call.objects.of_run(done).committed() == 5 * Decimal("0.00075")
    assert (provider.created, provider.direct, provider.keys) == (1, [], {"Bearer k-1"})


def test_each_step_that_asks_has_a_batch_of_its_own(cast: Cast, provider: BatchProvider) -> None:
    connect(cast, provider)
    run = batch_run(cast, ASK, AGAIN, many=3)

    for _ in range(2):
        provider.finish()
        run = looked(run)

    assert run.state == "done"
    cells = Cell.objects.of_run(run).filter(step=1).order_by("row__position")
    assert [cell.value for cell in cells] == [f"MORE OF QUESTION {n}?" for n in range(3)]
    assert provider.created == 2
    assert set(provider.asked.values()) == {1}


def test_what_may_pass_is_asked_by_itself_and_what_may_not_is_reported(
    cast: Cast, provider: BatchProvider
) -> None:
    connect(cast, provider)
    provider.fails = {"Question 1?": 500, "Question 3?": 400}
    run = batch_run(cast)

    provider.finish()
    run = looked(run)

    assert (run.state, provider.direct) == ("done", ["Question 1?"])
    failed = Cell.objects.of_run(run).get(state="failed")
    assert failed.row.position == 3
    assert failed.error.startswith("local refused the call (status 400): Status 400 it is. Check")
    assert Call.objects.of_run(run).counts() == {"sent": 0, "done": 4, "failed": 2, "unknown": 0}


def test_a_failed_cell_is_asked_anew_on_request(cast: Cast, provider: BatchProvider) -> None:
    connect(cast, provider)
    provider.fails = {"Question 3?": 400}
    run = batch_run(cast)
    provider.finish()
    run = looked(run)
    provider.fails = {}

    run = perform_run(resume_run(run, by=None, retry_failed=True))
    provider.finish()
    run = looked(run)

    assert Row.objects.of_run(run).counts()["done"] == 5
    assert [batch.requests for batch in Batch.objects.of_run(run).oldest_first()] == [5, 1]


def test_what_a_batch_did_not_come_to_is_in_the_next_one(
    cast: Cast, provider: BatchProvider
) -> None:
    connect(cast, provider)
    run = batch_run(cast)

    provider.finish(only=3, status="expired")
    run = looked(run)
    provider.finish()
    run = looked(run)

    assert run.state == "done"
    assert [batch.requests for batch in Batch.objects.of_run(run).oldest_first()] == [5, 2]
    assert set(provider.asked.values()) == {1}
    assert provider.direct == []


def test_a_batch_that_is_refused_fails_the_run_with_the_providers_words(
    cast: Cast, provider: BatchProvider
) -> None:
    connect(cast, provider)
    provider.refuses = "This model has no batches."
    run = looked(batch_run(cast))
    provider.refuses = ""

    again = perform_run(resume_run(run, by=None))
    provider.finish()

    assert (run.state, run.note) == (
        "failed",
        "The provider refused the batch: line 1: This model has no batches. Nothing in it was "
        "paid for. Resume asks its rows again.",
    )
    assert looked(again).state == "done"


def test_a_run_that_is_stopped_keeps_what_its_batch_had_answered(
    cast: Cast, provider: BatchProvider
) -> None:
    connect(cast, provider)
    run = batch_run(cast)

    with pytest.raises(RunIsWorking):
        delete_pipeline(run.pipeline)
    cancel_run(run, at=timezone.now())
    looked(run)
    stopped = looked(run)

    assert stopped.state == "cancelled"
    assert Call.objects.of_run(run).counts()["done"] == 2
    done = perform_run(resume_run(stopped, by=None))
    provider.finish()
    assert looked(done).state == "done"
    assert set(provider.asked.values()) == {1}


def test_a_budget_holds_at_half_price(cast: Cast, provider: BatchProvider) -> None:
    connect(cast, provider)
    price(cast)
    ask = step("prompt", "ask", **{**ASK["settings"], "parameters": {"max_tokens": 1000}})
    run = batch_run(cast, ask, many=8, budget=Decimal("0.25"))  # 5 cents each, and a little

    sent = Batch.objects.of_run(run).get().requests
    provider.finish()
    run = looked(run)
    provider.finish()

    assert sent == 4
    assert looked(run).state == "done"  # what it really cost leaves room for the others


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_while_it_sends_a_batch_does_not_send_it_twice(
    cast: Cast, provider: BatchProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "APPEARS_SECONDS", 0.0)
    connect(cast, provider)
    pipeline = make_pipeline(cast.project, ASK)
    run = make_run(pipeline, rows(30), in_batches=True)
    provider.hangs_on_create = True
    process = worker.start(run.pk, str(connection.settings_dict["NAME"]))
    try:
        assert provider.has_created.wait(200)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    provider.hangs_on_create = False
    left = Batch.objects.of_run(run).get()

    waiting = perform_run(run)
    provider.finish()
    done = looked(waiting)

    assert (left.state, left.remote_id) == ("submitting", "")
    assert (waiting.state, done.state) == ("batch", "done")
    assert (provider.created, set(provider.asked.values())) == (1, {1})
    assert Batch.objects.of_run(run).get().remote_id == "batch_1"
    assert Call.objects.of_run(done).counts() == {"sent": 0, "done": 30, "failed": 0, "unknown": 0}


def test_a_batch_its_provider_never_got_is_sent_again(
    cast: Cast, provider: BatchProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "APPEARS_SECONDS", 0.0)
    connect(cast, provider)
    run = batch_run(cast)
    provider.batches.clear()
    Batch.objects.of_run(run).update(state=Batch.State.SUBMITTING, remote_id="")

    run = perform_run(resume_run(run, by=None))
    provider.finish()

    assert looked(run).state == "done"
    assert provider.created == 2
    assert set(provider.asked.values()) == {1}


def test_the_dry_run_tells_the_price_of_batches(cast: Cast, provider: BatchProvider) -> None:
    connect(cast, provider)
    price(cast)
    run = make_run(make_pipeline(cast.project, ASK), rows(4))

    told = estimate(cast.project, stored_steps(run.definition.steps), Source.of_rows(rows(4)))

    assert told.batch_cost == told.cost / 2


def test_without_a_batch_api_a_run_in_batches_is_refused(
    cast: Cast, provider: BatchProvider
) -> None:
    make_connection(cast.project, provider.url)

    with pytest.raises(NoBatchApi, match="Tick “Has a Batch API” at the connection"):
        make_run(make_pipeline(cast.project, ASK), rows(1), in_batches=True)


def test_the_page_and_the_api_tell_of_batches(
    cast: Cast, provider: BatchProvider, alice: Client, api: Client
) -> None:
    connect(cast, provider)
    run = batch_run(cast)

    page = alice.get(f"/p/{cast.project.slug}/evals/pipelines/runs/{run.pk}/").content.decode()
    told = api.get(f"/api/v1/pipeline-runs/{run.pk}").json()

    assert "Waiting for a batch" in page
    assert "batch_1" in page
    assert (told["state"], told["in_batches"]) == ("batch", True)
    assert told["batches"][0]["remote_id"] == "batch_1"
    assert told["batches"][0]["status"] == "in_progress"


def test_openais_own_client_reads_what_was_sent(cast: Cast, provider: BatchProvider) -> None:
    """So that the provider of these tests speaks as the real one does."""
    connect(cast, provider)
    run = batch_run(cast, many=2)
    provider.finish()

    with OpenAI(base_url=provider.url, api_key="k") as client:
        batch = next(iter(client.batches.list()))
        sent = client.files.content(batch.input_file_id).text.splitlines()
        answers = client.files.content(str(batch.output_file_id)).text

    assert (batch.endpoint, batch.completion_window) == ("/v1/chat/completions", "24h")
    assert batch.metadata == {"stillhouse_batch": str(Batch.objects.of_run(run).get().pk)}
    assert len(sent) == 2
    assert "QUESTION 1?" in answers
