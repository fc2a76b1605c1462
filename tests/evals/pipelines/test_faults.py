"""A provider that fails in every way, and a worker that is killed."""

from __future__ import annotations

import random
import signal

import pytest
from django.db import connection

from evals.pipelines.models import Call, Cell, Row, Run
from tests.conftest import Cast
from tests.evals.factories import make_connection
from tests.evals.pipelines import worker
from tests.evals.pipelines.factories import make_pipeline, make_run, perform_run, step
from tests.evals.pipelines.faulty import FAULTS, Faulty, FaultyThread

ASK = step("prompt", "ask", model="local/any", template="Question {{n}}?", seconds=1)


def rows(many: int) -> list[dict[str, int]]:
    return [{"n": n} for n in range(many)]


def test_no_cell_is_lost_to_a_provider_that_fails_in_every_way(cast: Cast) -> None:
    provider = Faulty(faults=FAULTS, limit=40, window=0.2)
    with FaultyThread(provider):
        make_connection(cast.project, provider.url)

        run = perform_run(make_run(make_pipeline(cast.project, ASK), rows(300)))

    cells = Cell.objects.of_run(run)
    assert (run.state, run.note) == ("done", "")
    assert cells.filter(state="done").count() == 300
    assert set(provider.faulted) == set(FAULTS)
    # What was asked is a good answer for each cell, and one call more for each fault.
    assert provider.calls == 300 + sum(provider.faulted.values())
    assert set(provider.finished.values()) == {1}
    assert provider.over == 0


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_killed_worker_repeats_no_finished_call(cast: Cast, seed: int) -> None:
    drawn = random.Random(seed)
    provider = Faulty(seconds=0.02)
    with FaultyThread(provider):
        make_connection(cast.project, provider.url)
        run = make_run(make_pipeline(cast.project, ASK), rows(150))
        killed_at = drawn.randint(5, 120)
        _kill_after(run, provider, killed_at)
        done_before = set(_finished_rows(run))
        asked_before = dict(provider.asked)

        run = perform_run(Run.objects.get(pk=run.pk))

    calls = Call.objects.of_run(run).counts()
    assert (run.state, Row.objects.of_run(run).counts()["done"]) == ("done", 150)
    again = [
        n for n in done_before if provider.asked[f"Question {n}?"] > asked_before[f"Question {n}?"]
    ]
    assert again == []
    # Every call the provider saw has a line; only lines that were out at the kill may not have
    # reached it.
    assert calls["done"] == 150
    assert calls["done"] + calls["failed"] <= provider.calls
    assert provider.calls <= calls["done"] + calls["failed"] + calls["unknown"]
    assert all(many <= 2 for many in provider.asked.values())


def _kill_after(run: Run, provider: Faulty, calls: int) -> None:
    process = worker.start(run.pk, str(connection.settings_dict["NAME"]))
    try:
        with provider.on_call:
            assert provider.on_call.wait_for(lambda: provider.calls >= calls, timeout=200)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def _finished_rows(run: Run) -> list[int]:
    """The numbers of the rows whose call is finished by the ledger."""
    ids = Call.objects.of_run(run).filter(state=Call.State.DONE).values("row_id")
    found = Row.objects.filter(pk__in=ids).values_list("variables", flat=True)
    return [variables["n"] for variables in found]
