"""Durable ingest over HTTP against a bare COPY of the same rows, its CPU, and when it answers.

Own Postgres, own web process (`manage.py web`), rounds of all in turn. Two baselines, both of 200
calls a transaction over one connection, with the rows made beforehand:

- *one table*: id, request and response as sent, one index, compressed by Postgres. What a plain
  loop over COPY would do with what arrives; the target is about this one;
- *same tables*: the very rows ingest writes, into the same tables with all their indexes. Parsing,
  hashing and compressing were done before the clock started: the ceiling, not a rival.

Run: `python -m tests.benchmarks.bench_ingest [--rounds 5] [--calls 4000] [--clients 4]`.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg

from tests.benchmarks.figures import ROOT, figure, percentile, publish
from tests.benchmarks.ingest_load import (
    PLAIN,
    batches,
    copy,
    copy_all,
    rows_as_sent,
    rows_as_stored,
)

BATCH = 200
ACKS = 20
"""Answers waited for one by one in each round, after the throughput."""
TARGET_RATIO = 0.5
TARGET_CPU = 0.5
TARGET_ACK = 4.0
PER_THOUSAND = "s per 1,000 calls"


@dataclass(frozen=True)
class Bench:
    """What is measured: the processes, and how to reach them."""

    port: int
    key: str
    project: int
    web: psutil.Process
    postgres: psutil.Process
    connection: psycopg.Connection[Any]


@dataclass
class Rounds:
    """What the rounds measured: calls a second, milliseconds, CPU seconds per 1,000 calls."""

    same: list[float] = field(default_factory=list)
    plain: list[float] = field(default_factory=list)
    ingest: list[float] = field(default_factory=list)
    web: list[float] = field(default_factory=list)
    postgres: list[float] = field(default_factory=list)
    digest: list[float] = field(default_factory=list)
    digest_postgres: list[float] = field(default_factory=list)
    acks: list[list[float]] = field(default_factory=list)
    commits: list[list[float]] = field(default_factory=list)
    single_acks: list[list[float]] = field(default_factory=list)
    single_commits: list[list[float]] = field(default_factory=list)

    def figures(self) -> list[dict[str, Any]]:
        return [*self._rates(), *self._cpu(), *self._answers()]

    def _rates(self) -> list[dict[str, Any]]:
        return [
            figure("bare COPY, same tables", self.same, "calls/s"),
            figure("bare COPY, one table", self.plain, "calls/s"),
            figure("ingest, acknowledged", self.ingest, "calls/s"),
            figure(
                "ingest / bare COPY, same tables",
                _ratios(self.ingest, self.same),
                "ratio",
                baseline=statistics.median(self.same),
            ),
            figure(
                "ingest / bare COPY, one table",
                _ratios(self.ingest, self.plain),
                "ratio",
                target=TARGET_RATIO,
                baseline=statistics.median(self.plain),
            ),
        ]

    def _cpu(self) -> list[dict[str, Any]]:
        parts = (self.web, self.postgres, self.digest, self.digest_postgres)
        whole = [sum(values) for values in zip(*parts, strict=True)]
        return [
            figure("CPU, all processes, digest included", whole, PER_THOUSAND, target=TARGET_CPU),
            figure("CPU, web", self.web, PER_THOUSAND),
            figure("CPU, Postgres", self.postgres, PER_THOUSAND),
            figure("CPU, digest", self.digest, PER_THOUSAND),
            figure("CPU, Postgres for the digest", self.digest_postgres, PER_THOUSAND),
        ]

    def _answers(self) -> list[dict[str, Any]]:
        found = []
        for size, acks, commits in (
            (BATCH, self.acks, self.commits),
            (1, self.single_acks, self.single_commits),
        ):
            for share, target in ((0.5, None), (0.99, TARGET_ACK if size == BATCH else None)):
                ours = [percentile(one, share) for one in acks]
                bare = [percentile(one, share) for one in commits]
                name = f"answer to {size}, p{share * 100:.0f}"
                known = statistics.median(bare)
                found.append(figure(name, ours, "ms", baseline=known))
                ratios = _ratios(ours, bare)
                found.append(figure(f"{name} / COPY and commit", ratios, "ratio", target=target))
        return found


def _ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    return [one / other for one, other in zip(ours, theirs, strict=True)]


def ingest(bench: Bench, bodies: Sequence[bytes], clients: int) -> None:
    """Send all of it over as many connections; every call must be accepted."""
    threads = [
        threading.Thread(target=_send, args=(bench, bodies[number::clients]))
        for number in range(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _send(bench: Bench, bodies: Sequence[bytes]) -> list[float]:
    """Milliseconds each answer took."""
    connection = http.client.HTTPConnection("127.0.0.1", bench.port, timeout=60)
    headers = {"Authorization": f"Bearer {bench.key}", "Content-Type": "application/json"}
    found = []
    for body in bodies:
        begun = time.perf_counter()
        connection.request("POST", "/api/v1/ingest", body, headers)
        answer = json.loads(connection.getresponse().read())
        found.append((time.perf_counter() - begun) * 1000)
        assert answer["accepted"] == len(answer["results"]) > 0, answer
    connection.close()
    return found


def commit_times(bench: Bench, bodies: Sequence[bytes]) -> list[float]:
    """Milliseconds of COPY and commit, one by one."""
    found = []
    for blocks in [rows_as_stored(body, bench.project) for body in bodies]:
        begun = time.perf_counter()
        copy(bench.connection, blocks)
        found.append((time.perf_counter() - begun) * 1000)
    return found


def measure_round(bench: Bench, rounds: Rounds, options: argparse.Namespace) -> None:
    calls, thousands = options.calls, options.calls / 1000
    same = [rows_as_stored(body, bench.project) for body in batches(calls, size=BATCH)]
    rounds.same.append(calls / seconds(lambda: copy_all(bench.connection, same)))
    plain = [rows_as_sent(body) for body in batches(calls, size=BATCH)]
    rounds.plain.append(calls / seconds(lambda: copy_all(bench.connection, plain)))
    forget_outbox(bench)
    bodies = batches(calls, size=BATCH)
    web, postgres = cpu_of(bench.web), cpu_of(bench.postgres)
    rounds.ingest.append(calls / seconds(lambda: ingest(bench, bodies, options.clients)))
    rounds.web.append((cpu_of(bench.web) - web) / thousands)
    rounds.postgres.append((cpu_of(bench.postgres) - postgres) / thousands)
    postgres = cpu_of(bench.postgres)
    rounds.digest.append(digest_cpu(calls))
    rounds.digest_postgres.append((cpu_of(bench.postgres) - postgres) / thousands)
    for size, acks, commits in (
        (BATCH, rounds.acks, rounds.commits),
        (1, rounds.single_acks, rounds.single_commits),
    ):
        commits.append(commit_times(bench, batches(ACKS * size, size=size)))
        acks.append(_send(bench, batches(ACKS * size, size=size)))
    forget_outbox(bench)


def seconds(work: Callable[[], None]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def forget_outbox(bench: Bench) -> None:
    """The digest is to be measured on what came over HTTP only."""
    bench.connection.execute("TRUNCATE requests_log_undigested")
    bench.connection.commit()


def cpu_of(process: psutil.Process) -> float:
    """CPU seconds of a process and its children so far, also of those that have ended."""
    total = 0.0
    for one in [process, *process.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            times = one.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def digest_cpu(count: int) -> float:
    """CPU seconds per 1,000 digests with their text index, in this process (Postgres apart)."""
    from requests_log.digest.run import digest_and_seal

    done, started = 0, time.process_time()
    while done < count and (made := digest_and_seal()):
        done += made
    assert done, "nothing waited for its digest"
    return (time.process_time() - started) / done * 1000


@contextmanager
def web_process(port: int) -> Iterator[psutil.Process]:
    env = os.environ | {"PORT": str(port), "LOG_LEVEL": "WARNING"}
    program = [sys.executable, str(ROOT / "manage.py"), "web"]
    process = subprocess.Popen(program, cwd=ROOT, env=env, stdout=subprocess.DEVNULL)
    try:
        give_up = time.monotonic() + 90
        while time.monotonic() < give_up:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def measure(options: argparse.Namespace) -> list[dict[str, Any]]:
    project, key, info, postmaster = prepare_database()
    port, rounds = free_port(), Rounds()
    with web_process(port) as web, psycopg.connect(info) as connection:
        bench = Bench(port, key, project, web, psutil.Process(postmaster), connection)
        connection.execute(PLAIN)
        connection.commit()
        ingest(bench, batches(BATCH * 4, size=BATCH), options.clients)
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}", flush=True)
            measure_round(bench, rounds, options)
    return rounds.figures()


def prepare_database() -> tuple[int, str, str, int]:
    """A fresh database with a project; its id, a key, how to connect, and the postmaster's pid."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "workbench.settings")
    django.setup()
    from django.conf import settings
    from django.core.management import call_command

    from workbench.core.actions import create_api_key, create_project
    from workbench.core.hotpool import conninfo

    call_command("migrate", verbosity=0)
    project = create_project(name="Bench", owner=None)
    _, key = create_api_key(project, name="bench", scopes=["ingest"], by=None)
    pid_file = Path(settings.VAR_DIR) / "postgres" / "postmaster.pid"
    postmaster = int(pid_file.read_text().splitlines()[0])
    return project.pk, str(key), conninfo(), postmaster


def stop_database(folder: str) -> None:
    from django.db import connections

    from workbench import embedded

    connections.close_all()
    embedded.server(Path(folder)).leave()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=4000)
    parser.add_argument("--clients", type=int, default=4)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.environ["VAR_DIR"] = folder
        os.environ.pop("DATABASE_URL", None)
        try:
            figures = measure(options)
        finally:
            stop_database(folder)
    publish("ingest", figures)


if __name__ == "__main__":
    main()
