"""The engine's process: started, watched, replaced, guarded by a token."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from finetunes.hosts.processes import find
from finetunes.models import Engine
from finetunes.serving import resolve_registered
from finetunes.supervision.engine import engine_folder, read_token
from tests.conftest import Cast
from tests.finetunes.engine_programs import (
    CRASHES,
    GOES_SILENT,
    HEALTHY,
    Clock,
    keeper_of,
    tick_until,
    want,
)
from tests.registry.factories import make_model
from workbench.providers.refs import EngineStarting, parse_ref

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_engine_left(var_dir: Path) -> Iterator[None]:
    yield
    left = find(engine_folder("local"))
    if left is not None:
        left.kill()


def test_a_crashing_engine_is_started_again_after_longer_and_longer_pauses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("finetunes.supervision.engine.LONGEST_PAUSE_SECONDS", 4.0)
    want()
    clock = Clock()
    keeper = keeper_of(CRASHES, clock)
    pauses = []
    for _ in range(4):
        tick_until(keeper, lambda engine: keeper.child is None and bool(engine.problem))
        ended = clock.now
        keeper.tick()
        while keeper.child is None:
            clock.now += 0.5
            keeper.tick()
        pauses.append(clock.now - ended)
        assert keeper.child.wait(60)

    assert pauses == [1, 2, 4, 4]


def test_why_the_engine_ended_is_told_to_who_asks_for_a_model(cast: Cast) -> None:
    make_model(cast.project)
    want()

    engine = tick_until(keeper_of(CRASHES, Clock()), lambda engine: bool(engine.problem))

    assert "exit code 1" in engine.problem
    assert "no room for the weights" in engine.problem
    with pytest.raises(EngineStarting, match="no room for the weights"):
        resolve_registered(cast.project, parse_ref("capital-letter:1"))


def test_an_engine_that_goes_silent_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    want()
    clock = Clock()
    keeper = keeper_of(GOES_SILENT, clock)
    with monkeypatch.context() as patch:
        patch.setattr("finetunes.supervision.engine.ANSWER_SECONDS", 60.0)  # it answers only once
        tick_until(keeper, lambda engine: bool(engine.url))
    monkeypatch.setattr("finetunes.supervision.engine.ANSWER_SECONDS", 0.2)
    child = keeper.child
    assert child is not None

    clock.now += 29
    keeper.tick()
    assert child.alive()
    clock.now += 2
    keeper.tick()

    assert not child.alive()
    engine = Engine.objects.get()
    assert (engine.url, engine.token) == ("", "")
    assert "did not answer for 30 seconds" in engine.problem


def test_a_slow_start_is_waited_for() -> None:
    want()
    clock = Clock()
    keeper = keeper_of("import time; time.sleep(600)", clock)
    keeper.tick()
    child = keeper.child
    assert child is not None

    clock.now += 110
    keeper.tick()
    assert child.alive()
    clock.now += 20
    keeper.tick()

    assert not child.alive()


def test_an_engine_that_answers_again_has_no_problem_left() -> None:
    want()
    clock = Clock()
    keeper = keeper_of(CRASHES, clock)
    tick_until(keeper, lambda engine: bool(engine.problem))
    keeper.program = keeper_of(HEALTHY).program
    clock.now += 60

    engine = tick_until(keeper, lambda engine: bool(engine.url))

    assert engine.problem == ""
    keeper.stop()


def test_each_start_has_a_token_of_its_own_that_only_we_can_read(cast: Cast) -> None:
    make_model(cast.project)
    want()
    keeper = keeper_of(HEALTHY)
    engine = tick_until(keeper, lambda engine: bool(engine.url))
    path = engine_folder("local") / "token"
    child = keeper.child
    assert child is not None
    environment = Path(f"/proc/{child.pid}/environ").read_bytes().split(b"\0")
    keeper.stop()
    stopped = Engine.objects.get()
    again = tick_until(keeper, lambda engine: bool(engine.url))
    endpoint = resolve_registered(cast.project, parse_ref("capital-letter:1"))
    keeper.stop()

    assert len(engine.token) > 40
    assert f"ENGINE_TOKEN={engine.token}".encode() in environment
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stopped.token == ""
    assert again.token not in ("", engine.token)
    assert endpoint is not None
    assert endpoint.api_key == again.token


def test_a_new_runner_adopts_the_engine_with_its_token() -> None:
    want()
    first = keeper_of(HEALTHY)
    engine = tick_until(first, lambda engine: bool(engine.url))
    Engine.objects.update(url="", token="", seen_at=None)
    second = keeper_of(CRASHES)

    adopted = tick_until(second, lambda engine: bool(engine.url))

    assert (adopted.url, adopted.token) == (engine.url, engine.token)
    second.stop()
    assert first.child is not None
    assert first.child.wait(60)


def test_an_engine_whose_token_is_not_known_is_replaced() -> None:
    want()
    first = keeper_of(HEALTHY)
    tick_until(first, lambda engine: bool(engine.url))
    assert first.child is not None
    os.unlink(engine_folder("local") / "token")  # noqa: PTH108 - a bare removal
    Engine.objects.update(url="", token="")
    second = keeper_of(HEALTHY)

    engine = tick_until(second, lambda engine: bool(engine.url))

    assert not first.child.alive()
    assert engine.token == read_token("local") != ""
    second.stop()
