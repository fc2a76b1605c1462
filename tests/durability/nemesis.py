"""The nemesis: what is broken when, from one seed, and how it is put right again."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import psutil

from tests.durability.place import Place
from tests.durability.proxy import Proxy

DOUBT_SECONDS = 12.0
"""A gateway call answered this long before a kill was in the log or in the spool by then."""


@dataclass(frozen=True)
class Blow:
    """One act of the nemesis: how long it waits, what it does, how long things stay broken."""

    wait: float
    act: str
    broken: float
    choice: float
    """From 0 to 1: which of several victims, or how many."""


def plan(seed: int, cycles: int, acts: Sequence[str] = ()) -> list[Blow]:
    """The blows of a run, the same for the same seed."""
    chosen = random.Random(f"nemesis {seed}")
    weighted = [name for name in acts or WEIGHTS for _ in range(WEIGHTS[name])]
    return [
        Blow(
            chosen.uniform(0.2, 3.0), chosen.choice(weighted), chosen.uniform(0.0, 1.0),
            chosen.random(),
        )
        for _ in range(cycles)
    ]  # fmt: skip


@dataclass
class Nemesis:
    """Strikes at a place; afterwards everything runs again."""

    place: Place
    proxy: Proxy
    web_deaths: list[float] = field(default_factory=list)
    """When the web process was killed or ended (seconds, monotonic)."""

    def strike(self, blow: Blow) -> None:
        """One cycle: wait, break, mend."""
        time.sleep(blow.wait)
        ACTS[blow.act](self, blow)
        self.mend()

    def mend(self) -> None:
        """Start whatever is dead, and wait until it answers."""
        self.place.server.recover()
        self.place.start("web")
        self.place.start("worker")
        self.place.wait_ready()

    def kill_web(self, blow: Blow) -> None:
        self.web_deaths.append(time.monotonic())
        self.place.kill("web")
        time.sleep(blow.broken)

    def end_web(self, blow: Blow) -> None:
        self.place.end("web")
        time.sleep(blow.broken)

    def kill_worker(self, blow: Blow) -> None:
        self.place.kill("worker")
        time.sleep(blow.broken)

    def kill_postmaster(self, blow: Blow) -> None:
        found = self.place.postgres()
        assert found, "Postgres does not run, or cannot be seen"
        found[0].kill()
        psutil.wait_procs(found, timeout=60)
        time.sleep(blow.broken)

    def kill_backend(self, blow: Blow) -> None:
        """One of Postgres' processes: the postmaster then starts all of them again."""
        children = self.place.postgres()[1:]
        if children:
            with suppress(psutil.NoSuchProcess):
                children[int(blow.choice * len(children))].kill()

    def stop_web(self, blow: Blow) -> None:
        with stopped([psutil.Process(self.place.pid("web"))]):
            time.sleep(blow.broken * 6)

    def stop_backend(self, blow: Blow) -> None:
        children = self.place.postgres()[1:]
        if children:
            with stopped([children[int(blow.choice * len(children))]]):
                time.sleep(blow.broken * 6)

    def stop_postgres(self, blow: Blow) -> None:
        """All of it stands still, so that commits are neither made nor refused."""
        with stopped(self.place.postgres()):
            time.sleep(blow.broken * 6)

    def kill_both(self, blow: Blow) -> None:
        """A machine that loses everything but its disk."""
        self.web_deaths.append(time.monotonic())
        self.place.kill("web")
        self.place.kill("worker")
        self.kill_postmaster(blow)

    def reset(self, blow: Blow) -> None:
        self.proxy.reset_all()

    def cut(self, blow: Blow) -> None:
        """Answers do not arrive: committed, but unknown to the client."""
        self.proxy.cut_answers(1 + int(blow.choice * 5))


@contextmanager
def stopped(processes: Sequence[psutil.Process]) -> Iterator[None]:
    """SIGSTOP while it lasts."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGCONT)


ACTS: dict[str, Callable[[Nemesis, Blow], None]] = {
    "kill web": Nemesis.kill_web,
    "kill backend": Nemesis.kill_backend,
    "kill postmaster": Nemesis.kill_postmaster,
    "kill worker": Nemesis.kill_worker,
    "kill all": Nemesis.kill_both,
    "end web": Nemesis.end_web,
    "stop web": Nemesis.stop_web,
    "stop backend": Nemesis.stop_backend,
    "stop Postgres": Nemesis.stop_postgres,
    "reset connections": Nemesis.reset,
    "cut answers": Nemesis.cut,
}
WEIGHTS = {
    "kill web": 4,
    "kill backend": 4,
    "kill postmaster": 3,
    "kill worker": 1,
    "kill all": 1,
    "end web": 1,
    "stop web": 1,
    "stop backend": 1,
    "stop Postgres": 1,
    "reset connections": 2,
    "cut answers": 3,
}
