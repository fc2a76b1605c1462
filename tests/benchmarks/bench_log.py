"""The log with millions of calls: pages, facets, counts, text search, bulk actions, ingest.

Own Postgres, a log of generated calls of about 1.3 KB (`log_load`), then rounds of all reads in
turn, each as the pages of the log make it. The first page is the baseline of page 1,000; ingest
over HTTP alone is that of ingest while somebody reads, and while bulk actions run (`log_bulk`,
which also sets those beside one bare statement that writes as many rows). Every statement
of the reads is explained, and sequential scans of the log's tables are counted.

Run: `make bench-log`, `CALLS=100000 make bench-log` for a smaller log (2,000,000 otherwise), or
`python -m tests.benchmarks.bench_log [--calls N] [--rounds 20] [--workers 2]`.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.benchmarks import log_bulk, log_load
from tests.benchmarks.figures import ROOT, figure, percentile, publish

CALLS = 2_000_000
READ_MS = 200
PAGE_RATIO = 2
INGEST_RATIO = 0.8
DEEP_PAGE = 1_000
INGEST_CALLS = 4_000
SMALL_PAGES = 128
PAUSE = 0.5
"""Seconds between two looks of somebody who reads the log."""
_SCAN = re.compile(r"Seq Scan on (requests_log_\w+)")

Read = Callable[[], object]


@dataclass
class Measured:
    """Milliseconds of every read by name, and the sequential scans of its plans."""

    times: dict[str, list[float]] = field(default_factory=dict)
    scans: dict[str, set[str]] = field(default_factory=dict)

    def figures(self) -> list[dict[str, Any]]:
        found = [
            figure(f"{name}, p95 (range)", times, "ms", target=READ_MS)
            | {"value": round(percentile(times, 0.95), 3)}
            for name, times in self.times.items()
        ]
        first, deep = self.times["page 1"], self.times[f"page {DEEP_PAGE:,}"]
        ratios = [one / other for one, other in zip(sorted(deep), sorted(first), strict=True)]
        found.append(figure("page 1,000 / page 1", ratios, "ratio", target=PAGE_RATIO))
        scanned = sorted({f"{name}: {table}" for name, ts in self.scans.items() for table in ts})
        print("\n".join(["Sequential scans:", *(scanned or ["none"])]))
        return [*found, figure("plans with a sequential scan", [len(scanned)], "plans", target=0)]


def reads(project: Any, calls: int) -> dict[str, Read]:
    """What is measured, by name: each as the log's page does it."""
    from requests_log.facets import facets_of
    from requests_log.listing import listing
    from requests_log.models import LoggedRequest
    from requests_log.search import parse
    from workbench.core.paging import PAGE_SIZE, page_of

    rows = LoggedRequest.objects.in_project(project)
    now = datetime.now(UTC)
    place = min(DEEP_PAGE * PAGE_SIZE, calls * 9 // 10)
    deep = str(rows.newest_first().values_list("id", flat=True)[place])

    def facets(query: str) -> Read:
        return lambda: facets_of(project, parse(query), at=now)

    def whole(query: str) -> Read:
        return lambda: listing(project, query=query, at=now)

    return {
        "page 1": lambda: page_of(rows.for_list()),
        f"page {DEEP_PAGE:,}": lambda: page_of(rows.for_list(), before=deep),
        "count up to 10,000": lambda: rows.order_by().values("id")[:10_001].count(),
        "facets": facets(""),
        "facets, model chosen": facets("model:gpt-4o"),
        "facets, status chosen": facets("status:error"),
        "facets, prompt chosen": facets("prompt:prompt-3@2"),
        "facets, source chosen": facets("source:import"),
        "facets, tag chosen": facets("tag.route:route-4"),
        "log page": whole(""),
        "log page, errors of a model": whole("status:error model:gpt-4o"),
        "text, rare": whole(log_load.RARE),
        "text, common": whole(log_load.COMMON),
        "text, substring": whole(log_load.SUBSTRING),
        "text, Chinese": whole(log_load.CHINESE),
        "text, two Chinese characters": whole(log_load.CHINESE[:2]),
        "text, absent": whole("quetzalcoatl"),
        "text with a field": whole(f"model:llama-70b {log_load.COMMON}"),
    }


def measure_reads(wanted: dict[str, Read], rounds: int) -> Measured:
    measured = Measured()
    for name, read in wanted.items():
        measured.scans[name] = scans_of(read)
    for _ in range(rounds):
        for name, read in wanted.items():
            measured.times.setdefault(name, []).append(milliseconds(read))
    return measured


def milliseconds(read: Read) -> float:
    begun = time.perf_counter()
    read()
    return (time.perf_counter() - begun) * 1000


def scans_of(read: Read) -> set[str]:
    """Tables of the log that some statement of a read goes through from end to end.

    Those under a MiB, such as weeks without calls, do not count: nothing is cheaper.
    """
    from django.db import connection

    asked: list[tuple[str, Any]] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        asked.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        read()
    found: set[str] = set()
    with connection.cursor() as cursor:
        for sql, params in asked:
            cursor.execute(f"EXPLAIN {sql}", params)
            plan = "\n".join(row[0] for row in cursor.fetchall())
            found.update(_SCAN.findall(plan))
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relname = ANY(%s) AND relpages >= %s",
            [sorted(found), SMALL_PAGES],
        )
        return {row[0] for row in cursor.fetchall()}


def ingest_rates(project_id: int, key: str, project: Any, rounds: int) -> list[dict[str, Any]]:
    """Calls a second over HTTP, alone and while somebody reads the log, in turn."""
    from tests.benchmarks.bench_ingest import BATCH, free_port, web_process
    from tests.benchmarks.ingest_load import batches

    alone, meanwhile, port = [], [], free_port()
    with web_process(port):
        send(port, key, batches(BATCH * 4, size=BATCH))
        for _ in range(rounds):
            alone.append(send(port, key, batches(INGEST_CALLS, size=BATCH)))
            with somebody_reads(project):
                meanwhile.append(send(port, key, batches(INGEST_CALLS, size=BATCH)))
    ratios = [one / other for one, other in zip(meanwhile, alone, strict=True)]
    return [
        figure("ingest alone", alone, "calls/s"),
        figure("ingest while somebody reads", meanwhile, "calls/s"),
        figure("ingest while somebody reads / alone", ratios, "ratio", target=INGEST_RATIO),
    ]


def ingest_while_bulk(project: Any, key: str) -> list[dict[str, Any]]:
    from tests.benchmarks.bench_ingest import BATCH, free_port, web_process
    from tests.benchmarks.ingest_load import batches

    port = free_port()
    with web_process(port):
        send(port, key, batches(BATCH * 4, size=BATCH))
        return log_bulk.ingest_rates(
            project, lambda: send(port, key, batches(INGEST_CALLS, size=BATCH))
        )


def send(port: int, key: str, bodies: list[bytes]) -> float:
    """Calls a second, every one acknowledged."""
    import http.client
    import json

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    accepted, begun = 0, time.perf_counter()
    for body in bodies:
        connection.request("POST", "/api/v1/ingest", body, headers)
        accepted += json.loads(connection.getresponse().read())["accepted"]
    seconds = time.perf_counter() - begun
    connection.close()
    return accepted / seconds


@contextmanager
def somebody_reads(project: Any) -> Iterator[None]:
    """A person beside: the log's page, then a text, half a second after each."""
    stop = threading.Event()

    def look() -> None:
        from django.db import connection

        from requests_log.listing import listing

        while not stop.is_set():
            for query in ("", log_load.COMMON):
                listing(project, query=query, at=datetime.now(UTC))
                stop.wait(PAUSE)
        connection.close()

    reader = threading.Thread(target=look)
    reader.start()
    try:
        yield
    finally:
        stop.set()
        reader.join()


def disk_used(folder: str) -> float:
    """GiB that lie below a folder."""
    files = (path for path in Path(folder).rglob("*") if path.is_file())
    return sum(path.stat().st_size for path in files) / 2**30


def measure(options: argparse.Namespace, folder: str) -> list[dict[str, Any]]:
    from tests.benchmarks.bench_ingest import prepare_database

    project_id, key, _, _ = prepare_database()
    from django.db import connection

    from workbench.core.models import Project

    project = Project.objects.get(pk=project_id)
    seconds = log_load.fill(project_id, options.calls, workers=options.workers)
    print(f"{options.calls:,} calls in {seconds:.0f} s; vacuuming", file=sys.stderr, flush=True)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("SELECT pg_database_size(current_database()) / 2.0 ^ 30")
        size = float(cursor.fetchone()[0])
    figures = [
        figure("calls", [options.calls], "calls"),
        figure("database", [size], "GiB"),
        figure("disk used, with WAL", [disk_used(folder)], "GiB"),
        figure("set-up", [options.calls / seconds], "calls/s"),
    ]
    steps: tuple[Callable[[], list[dict[str, Any]]], ...] = (
        lambda: measure_reads(reads(project, options.calls), options.rounds).figures(),
        lambda: ingest_rates(project_id, key, project, rounds=5),
        lambda: log_bulk.bulk_rates(project),
        lambda: ingest_while_bulk(project, key),
    )
    for step in steps:
        figures += step()
        publish("log", figures)
        print(flush=True)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=int(os.environ.get("CALLS", CALLS)))
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    below = ROOT / "var"
    below.mkdir(exist_ok=True)
    print(f"{shutil.disk_usage(below).free / 2**30:.0f} GiB free in {below}", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=below, ignore_cleanup_errors=True) as folder:
        from tests.benchmarks.bench_ingest import stop_database

        os.environ["VAR_DIR"] = folder
        os.environ.pop("DATABASE_URL", None)
        try:
            measure(options, folder)
        finally:
            stop_database(folder)


if __name__ == "__main__":
    main()
