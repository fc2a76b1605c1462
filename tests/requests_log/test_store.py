"""Appending calls: poison rows, duplicates, overload, and a database that is away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import psycopg
import pytest
from django.db import connection
from msgspec import structs

from requests_log import batcher
from requests_log.batcher import Batcher, Limits, Overloaded, StoreUnavailable
from requests_log.calls import Call, Outcome, Verdict
from requests_log.models import LoggedRequest, Quarantined, Undigested
from tests.requests_log.factories import make_call, store_calls
from workbench.core.hotpool import conninfo, open_pool
from workbench.core.models import Project

LIMITS = Limits(delay=0.005, rows=200, batch_bytes=2 << 20, waiting_bytes=64 << 20)


@contextmanager
def refusing(model: str) -> Iterator[None]:
    """Make Postgres refuse rows of this model, as a poison value would."""
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE requests_log_request ADD CONSTRAINT poison "
            f"CHECK (model <> '{model}') NOT VALID"
        )
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE requests_log_request DROP CONSTRAINT poison")


def verdicts(outcomes: list[Outcome]) -> list[Verdict]:
    return [outcome.verdict for outcome in outcomes]


async def submit(calls: list[Call], limits: Limits = LIMITS, *, at_once: int = 1) -> list[Outcome]:
    """Submit calls through a batcher, in so many submissions at once."""
    pool = await open_pool()
    one = Batcher(pool, limits)
    try:
        answers = await asyncio.gather(*(one.submit(calls[n::at_once]) for n in range(at_once)))
        return [outcome for answer in answers for outcome in answer]
    finally:
        await one.close()
        await pool.close()


def test_one_poison_row_of_two_hundred_goes_to_quarantine_alone(project: Project) -> None:
    calls = [make_call(project) for _ in range(200)]
    calls[77] = structs.replace(calls[77], model="poison")

    with refusing("poison"):
        outcomes = store_calls(calls)

    assert verdicts(outcomes).count(Verdict.ACCEPTED) == 199
    assert outcomes[77].verdict is Verdict.REJECTED
    kept = Quarantined.objects.in_project(project).get()
    assert (kept.id, kept.sqlstate, bytes(kept.request or b"")) == (
        calls[77].id,
        "23514",
        calls[77].request,
    )
    assert json.loads(bytes(kept.facts))["model"] == "poison"
    assert LoggedRequest.objects.in_project(project).count() == 199


def test_a_poison_row_sent_again_is_kept_once(project: Project) -> None:
    call = make_call(project, model="poison")

    with refusing("poison"):
        answers = [store_calls([call]), store_calls([call])]

    assert [verdicts(answer) for answer in answers] == [[Verdict.REJECTED]] * 2
    assert Quarantined.objects.in_project(project).count() == 1


def test_a_value_no_column_takes_goes_to_quarantine(project: Project) -> None:
    outcomes = store_calls([make_call(project, prompt_version=1 << 40), make_call(project)])

    assert verdicts(outcomes) == [Verdict.REJECTED, Verdict.ACCEPTED]


def test_poison_beside_duplicates_is_sorted_out(project: Project) -> None:
    known = make_call(project)
    store_calls([known])

    with refusing("poison"):
        outcomes = store_calls([make_call(project, model="poison"), known, make_call(project)])

    assert verdicts(outcomes) == [Verdict.REJECTED, Verdict.DUPLICATE, Verdict.ACCEPTED]


def test_every_accepted_call_waits_for_its_digest(project: Project) -> None:
    calls = [make_call(project) for _ in range(3)]

    store_calls([*calls, calls[0]])

    waiting = Undigested.objects.in_project(project)
    assert set(waiting.values_list("id", flat=True)) == {call.id for call in calls}


def test_overlapping_batches_at_once_store_each_call_once(project: Project) -> None:
    calls = [make_call(project) for _ in range(60)]
    one_at_a_time = replace(LIMITS, rows=7, delay=0.0)

    outcomes = asyncio.run(submit(calls * 4, one_at_a_time, at_once=8))

    assert verdicts(outcomes).count(Verdict.ACCEPTED) == 60
    assert LoggedRequest.objects.in_project(project).count() == 60


def test_a_submission_larger_than_a_batch_is_answered_whole_and_in_order(
    project: Project,
) -> None:
    calls = [make_call(project) for _ in range(450)]

    outcomes = asyncio.run(submit(calls))

    assert [outcome.id for outcome in outcomes] == [call.id for call in calls]
    assert LoggedRequest.objects.in_project(project).count() == 450


def test_too_many_waiting_bytes_are_refused_and_forgotten_once_stored(project: Project) -> None:
    async def overload() -> tuple[object, list[Outcome]]:
        pool = await open_pool()
        one = Batcher(pool, replace(LIMITS, waiting_bytes=100_000))
        large = {"request": b'{"a": "' + b"x" * 60_000 + b'"}'}
        first = asyncio.create_task(one.submit([make_call(project, **large)]))
        await asyncio.sleep(0)
        refused = await asyncio.gather(
            one.submit([make_call(project, **large)]), return_exceptions=True
        )
        await first
        later = await one.submit([make_call(project, **large)])
        await one.close()
        await pool.close()
        return refused[0], later

    refused, later = asyncio.run(overload())

    assert isinstance(refused, Overloaded)
    assert verdicts(later) == [Verdict.ACCEPTED]


def test_connections_cut_by_the_server_are_replaced_without_an_error(project: Project) -> None:
    info = conninfo()

    async def cut_and_submit() -> list[Outcome]:
        pool = await open_pool()
        one = Batcher(pool, LIMITS)
        await one.submit([make_call(project)])
        await asyncio.to_thread(cut_connections, info)
        answer = await one.submit([make_call(project)])
        await one.close()
        await pool.close()
        return answer

    assert verdicts(asyncio.run(cut_and_submit())) == [Verdict.ACCEPTED]


def test_an_unreachable_database_is_said_to_be_unavailable(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batcher, "CONNECTION_SECONDS", 0.2)
    monkeypatch.setattr("workbench.core.hotpool.conninfo", lambda: "host=127.0.0.1 port=1")

    with pytest.raises(StoreUnavailable):
        asyncio.run(submit([make_call(project)]))


def test_closing_stores_what_waits(project: Project) -> None:
    async def submit_and_close() -> list[Outcome]:
        pool = await open_pool()
        one = Batcher(pool, replace(LIMITS, delay=30.0))
        waiting = asyncio.create_task(one.submit([make_call(project)]))
        await asyncio.sleep(0)
        await one.close()
        await pool.close()
        return await waiting

    assert verdicts(asyncio.run(submit_and_close())) == [Verdict.ACCEPTED]


def test_a_commit_waits_for_the_disk(project: Project) -> None:
    with psycopg.connect(conninfo()) as one:
        row = one.execute("SHOW synchronous_commit").fetchone()

    assert row == ("on",)


def test_the_time_received_is_ours(project: Project) -> None:
    store_calls([make_call(project, started_at=datetime(2001, 1, 1, tzinfo=UTC))])

    row = LoggedRequest.objects.in_project(project).get()
    assert row.started_at.year == 2001
    assert row.received_at.year >= 2026


def cut_connections(info: str) -> None:
    """End every hot connection, as a restart of the database would."""
    with psycopg.connect(info, autocommit=True, application_name="cutter") as one:
        one.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND application_name = 'stillhouse-hot'"
        )
