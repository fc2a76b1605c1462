"""Pipelines: cells a second, the worker's memory, the run's table, and a provider full of faults.

    python -m tests.benchmarks.bench_pipelines [--cells 100000] [--faulty 1000]

Makes a database of its own on DATABASE_URL's server. The provider runs in this process too, so it
takes its share of the processor.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import sys
import time
from typing import Any


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cells", type=int, default=100_000)
    parser.add_argument("--faulty", type=int, default=1_000)
    chosen = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "workbench.settings")
    import django

    django.setup()
    from django.test.utils import setup_databases, teardown_databases

    from workbench.core import broker

    made = setup_databases(verbosity=0, interactive=False)
    try:
        many_cells(chosen.cells)
        many_faults(chosen.faulty)
    finally:
        broker.close_broker()  # its pool has connections to the database
        teardown_databases(made, verbosity=0)


def many_cells(cells: int) -> None:
    """One step over so many rows; the provider answers at once."""
    from evals.pipelines.reading import table_page
    from tests.evals.pipelines.faulty import Faulty, FaultyThread

    with FaultyThread(Faulty()) as provider:
        run = _run(provider.url, cells)
        memory: list[float] = []
        started = time.perf_counter()
        _do(run, memory)
        took = time.perf_counter() - started
        pages = []
        for at in range(0, cells, max(1, cells // 100)):
            begun = time.perf_counter()
            table_page(run, after=at - 1, size=50)
            pages.append((time.perf_counter() - begun) * 1000)
    p95 = statistics.quantiles(pages, n=20)[-1] if len(pages) > 1 else pages[0]
    print(f"cells                    {cells:>10,}")
    print(f"cells a second           {cells / took:>10,.0f}")
    print(f"memory at a tenth (MiB)  {memory[len(memory) // 10]:>10,.0f}")
    print(f"memory at the end (MiB)  {memory[-1]:>10,.0f}")
    print(f"a page of the table, p95 {p95:>10,.1f} ms")


def many_faults(cells: int) -> None:
    """A limit of 10 calls in half a second, 10 % 429, 5 % 500, 2 % hangs, 1 % broken answers."""
    from evals.pipelines.models import Row
    from tests.evals.pipelines.faulty import FAULTS, Faulty, FaultyThread

    limit, window = 10, 0.5
    with FaultyThread(Faulty(faults=FAULTS, limit=limit, window=window)) as provider:
        run = _run(provider.url, cells, seconds=2)
        started = time.perf_counter()
        _do(run, [])
        took = time.perf_counter() - started
    done = Row.objects.of_run(run).counts()["done"]
    faults = sum(provider.faulted.values())
    ideal = provider.calls / limit * window
    print(f"cells lost               {cells - done:>10,}")
    print(f"calls beyond faults/cell {(provider.calls - faults) / cells:>10.3f}")
    print(f"calls over the limit     {provider.over:>10,}")
    print(f"wall time / ideal        {took / ideal:>10.2f}   (ideal: all calls at the limit)")


def _run(url: str, cells: int, **settings: Any) -> Any:
    from tests.evals.factories import make_connection
    from tests.evals.pipelines.factories import make_pipeline, make_run, step
    from tests.factories import make_project

    project = make_project(name=f"Bench {cells} {time.time()}")
    make_connection(project, url)
    asked = {"model": "local/any", "template": "Question {{n}}?", **settings}
    pipeline = make_pipeline(project, step("prompt", "ask", **asked))
    run = make_run(pipeline, [{"n": 0}])
    _fill(run, cells)
    return run


def _fill(run: Any, cells: int) -> None:
    from evals.pipelines.models import Row

    for start in range(1, cells, 5_000):
        stop = min(cells, start + 5_000)
        Row.objects.bulk_create(
            Row(run=run, position=n, variables={"n": n}) for n in range(start, stop)
        )


def _do(run: Any, memory: list[float]) -> None:
    from evals.pipelines.models import Run
    from evals.pipelines.running import run_pipeline

    def report(*_: object) -> None:
        memory.append(_resident())

    found = Run.objects.select_related("pipeline__project", "definition").get(pk=run.pk)
    run_pipeline(found, report=report)
    memory.append(_resident())


def _resident() -> float:
    """MiB in memory now; the most so far where the system does not tell."""
    if sys.platform != "linux":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    with open("/proc/self/statm") as file:  # noqa: PTH123 - no path to join, once a second
        return int(file.read().split()[1]) * resource.getpagesize() / (1 << 20)


if __name__ == "__main__":
    main()
