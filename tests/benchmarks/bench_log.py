"""The log with millions of calls: pages, facets, counts, text search, bulk actions, ingest.

Own Postgres, a log of generated calls of about 1.3 KB (`log_load`), then rounds of all reads in
turn, each as the pages of the log make it. The first page is the baseline of page 1,000; ingest
over HTTP alone is that of ingest while somebody reads, and while bulk actions run (`log_bulk`,
which also sets those beside one bare statement that writes as many rows). Every statement
of the reads is explained, and sequential scans of the log's tables are counted.

Run: `make bench-log`, `CALLS=100000 make bench-log` for a smaller log (2,000,000 otherwise), or
`python -m tests.benchmarks.bench_log [--calls N] [--rounds 20] [--workers 2] [--folder DIR]`.

With `--folder` the filled database stays there, and the next run with that folder and as many calls
reads it again without filling. Only the reads are measured then: ingest and bulk actions would
change what is kept. 2,000,000 calls take about 12 GiB.
"""

from __future__ import annotations

import argparse
import gc
import json
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
FILTERS = {
    "tag": "tag.route:route-4",
    "tag of nobody": "tag.route:elsewhere",
    "two tags": "tag.route:route-4 tag.tier:gold",
    "thumbs down": f"score.{log_load.THUMB}:no",
    "low grades": f"score.{log_load.GRADE}:<0.01",
    "cost, many": "cost:0.0001..0.00015",
    "cost, few": "cost:>0.00018",
    "cost, none": "cost:>0.5",
    "user": "user:user-17",
    "session": "session:session-1000",
    "tag and cost": "tag.route:route-4 cost:>0.00018",
}
"""Queries by name; for each the whole page and the strip above it."""
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
    from requests_log.querysets import planned
    from requests_log.search import parse, read_filter
    from requests_log.timeline import timeline
    from workbench.core.paging import PAGE_SIZE, page_of

    rows = LoggedRequest.objects.in_project(project)
    now = datetime.now(UTC)
    place = min(DEEP_PAGE * PAGE_SIZE, calls * 9 // 10)
    deep = str(rows.newest_first().values_list("id", flat=True)[place])

    def facets(query: str) -> Read:
        def read() -> object:
            with planned():
                return facets_of(project, parse(query), at=now)

        return read

    def whole(query: str) -> Read:
        return lambda: listing(project, query=query, at=now)

    def over_time(query: str) -> Read:
        return lambda: timeline(project, read_filter(query, at=now), at=now)

    filtered = {f"log page, {name}": whole(query) for name, query in FILTERS.items()}
    over = {f"timeline, {name}": over_time(query) for name, query in FILTERS.items()}
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
        **filtered,
        "timeline": over_time(""),
        "timeline, text": over_time(log_load.COMMON),
        **over,
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

    from requests_log.querysets import planned

    asked: list[tuple[str, Any]] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        asked.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        read()
    found: set[str] = set()
    with planned(), connection.cursor() as cursor:
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


def disk_used(folder: Path) -> float:
    """GiB that lie below a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return sum(path.stat().st_size for path in files) / 2**30


def measure(options: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    project_id, key = filled(options, folder)
    from workbench.core.models import Project

    project = Project.objects.get(pk=project_id)
    # As the web process does: some hundred thousand objects of libraries live for ever, and
    # looking through them for garbage takes 70 ms of whichever read it meets.
    gc.collect()
    gc.freeze()
    figures = [
        figure("calls", [options.calls], "calls"),
        figure("database", [database_size()], "GiB"),
        figure("disk used, with WAL", [disk_used(folder)], "GiB"),
    ]
    steps: list[Callable[[], list[dict[str, Any]]]] = [
        lambda: measure_reads(reads(project, options.calls), options.rounds).figures()
    ]
    if options.folder is None:
        steps.append(lambda: ingest_rates(project_id, key, project, rounds=5))
        steps.append(lambda: log_bulk.bulk_rates(project))
        steps.append(lambda: ingest_while_bulk(project, key))
    for step in steps:
        figures += step()
        publish("log", figures)
        print(flush=True)
    return figures


def filled(options: argparse.Namespace, folder: Path) -> tuple[int, str]:
    """The project of the log below a folder and a key of it; fills it where it is not yet."""
    from tests.benchmarks.bench_ingest import prepare_database

    kept = folder / "filled.json"
    if kept.exists():
        found = json.loads(kept.read_text())
        if found["calls"] != options.calls:
            sys.exit(f"{folder} holds {found['calls']:,} calls; give --calls, or another --folder.")
        open_database()
        return found["project"], found["key"]
    project_id, key, _, _ = prepare_database()
    seconds = log_load.fill(project_id, options.calls, workers=options.workers)
    print(f"{options.calls:,} calls in {seconds:.0f} s; vacuuming", file=sys.stderr, flush=True)
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    kept.write_text(json.dumps({"calls": options.calls, "project": project_id, "key": key}))
    return project_id, key


def open_database() -> None:
    """Start the kept database, with the tables as they are now."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "workbench.settings")
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def database_size() -> float:
    """GiB."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database()) / 2.0 ^ 30")
        return float(cursor.fetchone()[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=int(os.environ.get("CALLS", CALLS)))
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="keep the filled database here")
    options = parser.parse_args()
    with kept_or_temporary(options.folder) as folder:
        from tests.benchmarks.bench_ingest import stop_database

        os.environ["VAR_DIR"] = str(folder)
        os.environ.pop("DATABASE_URL", None)
        try:
            measure(options, folder)
        finally:
            stop_database(str(folder))


@contextmanager
def kept_or_temporary(folder: Path | None) -> Iterator[Path]:
    """Where the database lies: a folder to keep, or one that goes afterwards."""
    below = folder or ROOT / "var"
    below.mkdir(parents=True, exist_ok=True)
    print(f"{shutil.disk_usage(below).free / 2**30:.0f} GiB free in {below}", file=sys.stderr)
    if folder is not None:
        yield folder.resolve()
        return
    with tempfile.TemporaryDirectory(dir=below, ignore_cleanup_errors=True) as made:
        yield Path(made)


if __name__ == "__main__":
    main()
