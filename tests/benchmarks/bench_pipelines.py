"""Pipelines: cells a second, memory, the run's page; a provider full of faults; killed workers.

    python -m tests.benchmarks.bench_pipelines [--cells 100000] [--faulty 1000] [--kills 20]

0 leaves a part out. Makes a database of its own on DATABASE_URL's server. The provider is a program
of its own, which takes its share of the processor. Figures also go to var/bench/pipelines.json.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import resource
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from tests.benchmarks.figures import figure, publish

Figures = list[dict[str, Any]]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cells", type=int, default=100_000)
    parser.add_argument("--faulty", type=int, default=1_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "workbench.settings")
    import django

    django.setup()
    from django.test.utils import setup_databases, teardown_databases

    from workbench.core import broker

    made = setup_databases(verbosity=0, interactive=False)
    figures: Figures = []
    try:
        for part, size in (
            (many_cells, chosen.cells), (many_faults, chosen.faulty), (many_kills, chosen.kills)
        ):  # fmt: skip
            if size:
                figures += part(size, chosen.seed)
    finally:
        broker.close_broker()  # its pool has connections to the database
        teardown_databases(made, verbosity=0)
    publish("pipelines", figures)


def many_cells(cells: int, _: int) -> Figures:
    """One step over so many rows; the provider answers at once."""
    from evals.pipelines.reading import table_page
    from tests.evals.pipelines.faulty import FaultyProcess

    with FaultyProcess() as provider:
        run = _run(provider.url, cells)
        memory: list[float] = []
        began, processor = time.perf_counter(), time.process_time()
        _do(run, memory)
        took, processor = time.perf_counter() - began, time.process_time() - processor
    shared = _shared(min(cells, 10_000))
    places = range(0, cells - 1, max(1, cells // 100))
    tables = [_milliseconds(partial(table_page, run, after=at, size=50)) for at in places]
    pages = _pages(run, places)
    tenth, end = memory[len(memory) // 10], memory[-1]
    return [
        figure("cells a second", [cells / took], f"of {cells:,}"),
        figure("with limits that are shared / without", [shared], "cells a second", target=0.95),
        figure("processor time a cell", [processor / cells * 1000], "ms"),
        figure("memory at a tenth of the run", [tenth], "MiB"),
        figure("memory at the end / at a tenth", [end / tenth], "", target=1.1),
        figure("rows and cells of the table, p95", [_p95(tables)], "ms", target=200),
        figure("the run's page as it is sent, p95", [_p95(pages)], "ms", target=200),
    ]


def _shared(cells: int) -> float:
    """Cells a second where a high limit is shared between workers, over those without a limit."""
    from tests.evals.pipelines.faulty import FaultyProcess
    from workbench.providers import sharing
    from workbench.providers.limits import MOST_A_MINUTE, NO_LIMITS, Limits

    speeds: dict[bool, list[float]] = {True: [], False: []}
    for is_shared in (False, True, True, False):
        limits = Limits(MOST_A_MINUTE, MOST_A_MINUTE, 32) if is_shared else NO_LIMITS
        sharing.turn_on(is_on=is_shared)
        with FaultyProcess() as provider:
            run = _run(provider.url, cells, limits=limits)
            began = time.perf_counter()
            _do(run, [])
            speeds[is_shared].append(cells / (time.perf_counter() - began))
    sharing.turn_on(is_on=False)
    return statistics.mean(speeds[True]) / statistics.mean(speeds[False])


def many_faults(cells: int, seed: int) -> Figures:
    """A limit of 10 calls in half a second, 10 % 429, 5 % 500, 2 % hangs, 1 % broken answers."""
    from evals.pipelines.models import Row
    from tests.evals.pipelines.faulty import FAULTS, FaultyProcess

    limit, window = 10, 0.5
    with FaultyProcess(faults=FAULTS, limit=limit, window=window, seed=seed) as provider:
        run = _run(provider.url, cells, seconds=2)
        began = time.perf_counter()
        _do(run, [])
        took = time.perf_counter() - began
        counts = provider.counts()
    calls, faults = counts["calls"], sum(counts["faulted"].values())
    done = Row.objects.of_run(run).counts()["done"]
    ideal = calls / limit * window
    return [
        figure("faults: cells lost", [cells - done], f"of {cells:,}", target=0),
        figure("faults: calls a cell", [(calls - faults) / cells], "but faults", target=1.05),
        figure("faults: calls over the limit", [counts["over"]], f"of {calls:,}", target=0),
        figure("faults: time / all calls at the limit", [took / ideal], "", target=1.25),
    ]


def many_kills(kills: int, seed: int) -> Figures:
    """One run whose worker is killed so often, each time after a drawn number of calls."""
    from evals.pipelines.models import Call, Row
    from tests.evals.pipelines.faulty import FaultyProcess

    drawn, cells = random.Random(seed), 60 * (kills + 1)
    seen: list[tuple[set[str], dict[str, int]]] = []
    with FaultyProcess(seconds=0.02, seed=seed) as provider:
        run = _run(provider.url, cells)
        for _ in range(kills):
            _do_until(run, provider, provider.counts()["calls"] + drawn.randint(5, 60))
            seen.append((set(_lines_by_question(run, "done")), provider.counts()["asked"]))
        _do(run, [])
        counts = provider.counts()
    asked = counts["asked"]
    again = sum(asked[one] > then[one] for finished, then in seen for one in finished)
    sure, every = _lines_by_question(run, "done", "failed"), _lines_by_question(run)
    differ = sum(not sure.get(one, 0) <= asked.get(one, 0) <= every.get(one, 0) for one in every)
    lines, rows = Call.objects.of_run(run).counts(), Row.objects.of_run(run).counts()
    return [
        figure("kills: worker killed", [len(seen)], "times"),
        figure("kills: cells lost", [cells - rows["done"]], f"of {cells:,}", target=0),
        figure("kills: finished calls repeated", [again], "", target=0),
        figure("kills: ledger: answered", [lines["done"]], "calls", target=cells),
        figure("kills: ledger: in doubt", [lines["unknown"]], "calls"),
        figure("kills: upstream's own count", [counts["calls"]], "calls"),
        figure("kills: questions with other counts", [differ], "", target=0),
    ]


def _do_until(run: Any, provider: Any, calls: int) -> None:
    """Do the run in a child, killed as soon as the provider has seen so many calls."""
    from django.db import connections

    connections.close_all()  # a child must not use its parent's
    child = multiprocessing.get_context("fork").Process(target=_do, args=[run, []])
    child.start()
    while child.is_alive() and provider.counts()["calls"] < calls:
        time.sleep(0.005)
    child.kill()
    child.join()


def _lines_by_question(run: Any, *states: str) -> Counter[str]:
    """How many lines the ledger has of each question, of these states or of all."""
    from evals.pipelines.models import Call

    lines = Call.objects.of_run(run)
    chosen = lines.filter(state__in=states) if states else lines
    bodies = chosen.values_list("request", flat=True)
    return Counter(json.loads(bytes(one))["messages"][-1]["content"] for one in bodies)


def _run(url: str, cells: int, *, limits: Any = None, **settings: Any) -> Any:
    from tests.evals.factories import make_connection
    from tests.evals.pipelines.factories import make_pipeline, make_run, step
    from tests.factories import make_project

    project = make_project(name=f"Bench {cells} {time.time()}")
    make_connection(project, url, **({"limits": limits} if limits else {}))
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


def _pages(run: Any, places: range) -> list[float]:
    """Milliseconds of the run's page at these places, as a browser gets it."""
    from django.test import Client

    from tests.factories import make_member, make_user
    from workbench.core.models import Role

    user, project = make_user(name="Reader"), run.pipeline.project
    make_member(project, user, Role.OWNER)
    client = Client()
    client.force_login(user)
    place = f"/p/{project.slug}/evals/pipelines/runs/{run.pk}/"
    return [_milliseconds(partial(client.get, place, {"after": at})) for at in places]


def _milliseconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def _p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1] if len(values) > 1 else values[0]


def _resident() -> float:
    """MiB in memory now; the most so far where the system does not tell."""
    if sys.platform != "linux":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    with open("/proc/self/statm") as file:  # noqa: PTH123 - no path to join, once a second
        return int(file.read().split()[1]) * resource.getpagesize() / (1 << 20)


if __name__ == "__main__":
    main()
