"""A process that dies at the worst moments loses nothing and stores nothing twice."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.durability.nemesis import stopped
from tests.durability.records import read_acked
from tests.durability.torture import Arena, arena
from tests.journeys.installation import wait_until
from workbench.core.faults import EXIT_CODE, VARIABLE

slow = [pytest.mark.slow, pytest.mark.timeout(600)]
WHILE_STORING = (
    "store: before copy@3",
    "store: before commit@3",
    "store: after commit@3",
    "quarantine: before commit",
    "quarantine: after commit@2",
    "ingest: before answer@3",
    "ingest: after answer@3",
)
WHILE_SPOOLING = ("spool: before fsync", "spool: after fsync")
WHILE_DRAINING = ("spool: before delete", "spool: after delete")


@pytest.fixture(scope="module")
def place() -> Iterator[Arena]:
    """One installation for all points; every check looks at everything stored so far."""
    with arena(11) as arena_:
        yield arena_


def start_with(place: Arena, point: str) -> None:
    """Have the web process die at this point."""
    place.place.end("web")
    place.place.start("web", **{VARIABLE: point})
    place.place.wait_ready()


def require_death(place: Arena) -> None:
    """The web process dies at its point."""
    assert place.place.wait_dead("web", 240) == EXIT_CODE, place.place.said("web")
    place.nemesis.web_deaths.append(time.monotonic())


def gateway_answers(place: Arena, part: str) -> bool:
    """Whether it has: from then on it knows key and model, also without its database."""
    batches = (acked.batch for acked in read_acked(place.notes))
    return any(batch.startswith(f"{place.seed}{part}-gateway") for batch in batches)


@pytest.mark.parametrize("point", [pytest.param(one, marks=slow) for one in WHILE_STORING])
def test_death_while_storing(place: Arena, point: str) -> None:
    start_with(place, point)

    with place.writing(point):
        require_death(place)
        place.nemesis.mend()
    place.drain(stopping=False)

    assert place.check().problems == []


@pytest.mark.parametrize("point", [pytest.param(one, marks=slow) for one in WHILE_SPOOLING])
def test_death_while_spooling(place: Arena, point: str) -> None:
    start_with(place, point)

    with place.writing(point):
        wait_until(lambda: gateway_answers(place, point), what="a call through the gateway")
        with stopped(place.place.postgres()):  # a dead one would be started again
            require_death(place)
        place.nemesis.mend()
    place.drain(stopping=False)

    assert place.check().problems == []


@pytest.mark.parametrize("point", [pytest.param(one, marks=slow) for one in WHILE_DRAINING])
def test_death_while_draining_the_spool(place: Arena, point: str) -> None:
    start_with(place, point)

    with place.writing(point):
        wait_until(lambda: gateway_answers(place, point), what="a call through the gateway")
        with stopped(place.place.postgres()):
            wait_until(lambda: place.place.spooled(), what="a spooled call", seconds=240)
        require_death(place)
        place.nemesis.mend()
    place.drain(stopping=False)

    assert place.check().problems == []


@pytest.mark.parametrize(
    ("wanted", "code"), [("", 0), ("elsewhere", 0), ("here", 137), ("here@2", 137), ("here@3", 0)]
)
def test_a_point_ends_the_process_only_when_it_is_named(wanted: str, code: int) -> None:
    program = "from workbench.core.faults import fault; fault('here'); fault('here')"

    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": os.pathsep.join(sys.path), VARIABLE: wanted},
        check=False,
    )

    assert done.returncode == code
