"""Real `manage.py worker` processes, killed for real, over each broker that is reachable."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.db import connection
from django.db.models.functions import Now

from tests.core.conftest import Kinds
from tests.core.worker_program import ROOT
from tests.queues import delete_rabbitmq_queues
from workbench.core import broker
from workbench.core.models import Job
from workbench.core.queue import JobKind

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
PATIENCE = 120
"""Longer than a lease lasts: the dead may have prolonged theirs with their last breath."""
BROKERS = {
    "database": "",
    "redis": "redis://127.0.0.1:6379/9",
    "rabbitmq": "amqp://guest:guest@127.0.0.1:5672/",
}


@pytest.fixture(params=list(BROKERS))
def over_broker(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The broker's URL, with a namespace that nobody else uses."""
    url = BROKERS[request.param]
    if url:
        parts = urlsplit(url)
        try:
            socket.create_connection((str(parts.hostname), int(parts.port or 0)), 2).close()
        except OSError:
            pytest.skip(f"no {request.param} listens on {parts.hostname}:{parts.port}")
    yield from _use_broker(url, monkeypatch)


@pytest.fixture
def absent_broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    yield from _use_broker("redis://127.0.0.1:1/0", monkeypatch)


def _use_broker(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(settings, "BROKER_URL", urlsplit(url) if url else None)
    monkeypatch.setattr(settings, "BROKER_NAMESPACE", f"test-{uuid.uuid4().hex[:12]}")
    broker.close_broker()
    yield url
    delete_rabbitmq_queues()
    broker.close_broker()


@pytest.fixture
def kind(kinds: Kinds) -> Callable[..., JobKind]:
    """Declares the kinds whose work is in worker_program.py; this process never does it."""

    def declare(name: str, *, max_attempts: int = 3) -> JobKind:
        return kinds.declare(lambda running: None, name=name, max_attempts=max_attempts)

    return declare


@contextmanager
def worker(effects: Path, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker on this test's database and broker, killed at the end."""
    values = connection.settings_dict
    env = {
        **os.environ,
        "TEST_DATABASE": str(values["NAME"]),
        "BROKER_URL": settings.BROKER_URL.geturl() if settings.BROKER_URL else "",
        "BROKER_NAMESPACE": settings.BROKER_NAMESPACE,
        "EFFECTS": str(effects),
        "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}:{ROOT / 'platform' / 'sdk' / 'src'}",
        "OMP_NUM_THREADS": "1",
        **variables,
    }
    log = effects.with_suffix(".log").open("ab")
    popen = subprocess.Popen(
        [sys.executable, "-m", "tests.core.worker_program"],
        env=env, cwd=ROOT, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield popen
    finally:
        popen.kill()
        popen.wait()
        log.close()


def wait_until(happened: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end, f"waited too long for: {what}"
        time.sleep(0.1)


def state(job: Job) -> str:
    return Job.objects.get(pk=job.pk).state


def has_reported(job: Job) -> bool:
    """Whether its work has begun; each report stands for a tenth of a second only."""
    return Job.objects.get(pk=job.pk).done >= 1


def lines(effects: Path) -> list[str]:
    return effects.read_text().split() if effects.exists() else []


def expire_leases() -> None:
    """Instead of waiting half a minute: the lease of whoever is dead by now has run out."""
    Job.objects.filter(lease_until__isnull=False).update(lease_until=Now() - timedelta(seconds=1))


def test_a_worker_does_the_job(
    over_broker: str, kind: Callable[..., JobKind], tmp_path: Path
) -> None:
    effects = tmp_path / "effects"
    with worker(effects) as running:
        job = kind("test.write").enqueue(project=None, title="Write", payload={"text": "hello"})
        wait_until(lambda: state(job) == Job.State.SUCCEEDED, "the job")

        running.terminate()

        assert running.wait(PATIENCE) == 0
    assert lines(effects) == ["hello"]


def test_a_job_survives_the_death_of_its_worker_and_works_once(
    over_broker: str, kind: Callable[..., JobKind], tmp_path: Path
) -> None:
    effects = tmp_path / "effects"
    job = kind("test.slow-write").enqueue(project=None, title="Slow", payload={"text": "once"})
    with worker(effects) as killed:
        wait_until(lambda: has_reported(job), "the job's first report")
        killed.send_signal(signal.SIGKILL)
        killed.wait(PATIENCE)
    assert state(job) == Job.State.RUNNING
    expire_leases()

    with worker(effects, QUICK="1"):
        wait_until(lambda: state(job) == Job.State.SUCCEEDED, "the heir")

    assert lines(effects) == ["once"]
    assert Job.objects.get(pk=job.pk).attempt == 2


def test_a_job_that_kills_its_worker_stops_after_its_attempts(
    kind: Callable[..., JobKind], tmp_path: Path
) -> None:
    effects = tmp_path / "effects"
    job = kind("test.poison", max_attempts=2).enqueue(project=None, title="Poison")
    for _ in range(2):
        with worker(effects) as victim:
            assert victim.wait(PATIENCE) == 137
        expire_leases()

    with worker(effects):
        wait_until(lambda: state(job) == Job.State.FAILED, "the sweeper")

    found = Job.objects.get(pk=job.pk)
    assert found.attempt == 2
    assert lines(effects) == ["started", "started"]
    assert "worker stopped unexpectedly" in found.error


def test_a_stalled_worker_cannot_write_after_its_lease(
    kind: Callable[..., JobKind], tmp_path: Path
) -> None:
    effects = tmp_path / "effects"
    job = kind("test.slow-write").enqueue(project=None, title="Slow", payload={"text": "late"})
    with worker(effects) as stalled:
        wait_until(lambda: has_reported(job), "the job's first report")
        stalled.send_signal(signal.SIGSTOP)
        expire_leases()
        with worker(effects, QUICK="1"):
            wait_until(lambda: state(job) == Job.State.SUCCEEDED, "the heir")
        stalled.send_signal(signal.SIGCONT)
        log = effects.with_suffix(".log")
        wait_until(lambda: "Lost the lease" in log.read_text(), "the stalled worker to notice")

    assert lines(effects) == ["late"]
    assert Job.objects.get(pk=job.pk).attempt == 2


def test_a_lost_message_only_costs_time(
    over_broker: str, kind: Callable[..., JobKind], tmp_path: Path
) -> None:
    effects = tmp_path / "effects"
    job = kind("test.write").enqueue(project=None, title="Lost", payload={"text": "found"})
    _lose_all_messages(over_broker)

    with worker(effects):
        wait_until(lambda: state(job) == Job.State.SUCCEEDED, "the sweeper")

    assert lines(effects) == ["found"]


def _lose_all_messages(url: str) -> None:
    if url:
        broker.get_broker().flush(broker.queue_name())
        return
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM dramatiq.queue")


def test_without_its_broker_actions_succeed_and_jobs_are_done(
    absent_broker: str, kind: Callable[..., JobKind], tmp_path: Path
) -> None:
    effects = tmp_path / "effects"
    job = kind("test.write").enqueue(project=None, title="Alone", payload={"text": "alone"})

    with worker(effects):
        wait_until(lambda: state(job) == Job.State.SUCCEEDED, "the worker without a broker")

    assert lines(effects) == ["alone"]


def test_cancel_reaches_a_running_worker(kind: Callable[..., JobKind], tmp_path: Path) -> None:
    from django.utils import timezone

    from workbench.core.queue import cancel_job

    effects = tmp_path / "effects"
    job = kind("test.slow-write").enqueue(project=None, title="Slow", payload={"text": "never"})
    with worker(effects):
        wait_until(lambda: has_reported(job), "the job's first report")
        cancel_job(job, at=timezone.now())
        wait_until(lambda: state(job) == Job.State.CANCELLED, "the worker to notice")

    assert lines(effects) == []
