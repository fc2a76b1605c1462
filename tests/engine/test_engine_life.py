from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.engine.running import RunningEngine, running_engine
from tests.engine.tiny_models import manifest

HI: list[Any] = [{"role": "user", "content": "Hi"}]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


def test_a_changed_model_list_is_picked_up(models: Path, tmp_path: Path) -> None:
    with running_engine(tmp_path, manifest(models)) as engine:
        ask = {"model": "one@staging", "messages": HI, "max_tokens": 1}
        assert engine.post(ask).status_code == 404

        engine.write_models(manifest(models, one={"aliases": ["one@staging"]}))

        assert engine.post(ask).json()["model"] == "one:1"
        assert engine.post({**ask, "model": "one@production"}).status_code == 404


def test_a_broken_model_list_leaves_the_last_good_one_in_use(models: Path, tmp_path: Path) -> None:
    with running_engine(tmp_path, manifest(models)) as engine:
        assert len(engine.get("/v1/models")["data"]) == 3

        engine.write_models('{"models": [{"id": "x"}]}')

        assert len(engine.get("/v1/models")["data"]) == 3
        assert "models[0].kind" in engine.get("/healthz")["models_problem"]


def test_a_reader_who_leaves_stops_only_its_own_answer(engine: RunningEngine) -> None:
    cancelled = {"model": "base:1", "messages": HI, "max_tokens": 240, "stream": True}
    beside: list[Any] = []
    ask = {"model": "base:1", "messages": HI, "max_tokens": 200, "temperature": 0}
    expected = engine.post(ask).json()["choices"]

    def is_cut_short() -> bool:
        """Whether the reader left in time: where it was slow, its answer had been given already."""
        before = engine.get("/stats")["tokens"]
        reader = threading.Thread(target=lambda: beside.append(engine.post(ask).json()["choices"]))
        with _streaming(engine.url, cancelled) as connection:
            reader.start()
            connection.recv(1)
        reader.join()
        until(lambda: engine.get("/stats")["running"] == 0)
        return bool(engine.get("/stats")["tokens"] - before < 440)

    until(is_cut_short)

    assert beside == [expected] * len(beside)


def test_a_full_line_is_a_503_that_says_when_to_come_back(models: Path, tmp_path: Path) -> None:
    options = ("--max-waiting", "1", "--max-batch", "1")
    with running_engine(tmp_path, manifest(models), *options) as engine:
        body = {"model": "base:1", "messages": HI, "max_tokens": 240, "stream": True}
        one_word = {"model": "base:1", "messages": HI, "max_tokens": 1}
        engine.post(one_word)
        answers: list[httpx2.Response] = []

        def is_refused() -> bool:
            """Behind four long answers, of which one may be given and one may wait."""
            for _ in range(4):
                streams.enter_context(_streaming(engine.url, body))
            answers.append(engine.post(one_word))
            return answers[-1].status_code == 503

        with ExitStack() as streams:
            until(is_refused)

    refused = answers[-1]
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["error"]["code"] == "engine_overloaded"


def test_sigterm_lets_open_answers_finish_and_exits_with_0(models: Path, tmp_path: Path) -> None:
    with running_engine(tmp_path, manifest(models)) as engine:
        body = {"model": "base:1", "messages": HI, "max_tokens": 150, "stream": True}
        engine.post({**body, "stream": False, "max_tokens": 1})
        with _streaming(engine.url, body) as connection:
            said = connection.recv(64)

            code = engine.stop()

            while more := connection.recv(65536):
                said += more

    assert code == 0
    assert b"data: [DONE]" in said
    assert not (tmp_path / "engine.json").exists()


def test_a_running_engine_says_where_it_is_and_what_it_holds(engine: RunningEngine) -> None:
    notice = json.loads((engine.folder / "engine.json").read_text(encoding="utf-8"))
    engine.post({"model": "one:1", "messages": HI, "max_tokens": 1})
    engine.post({"model": "two:1", "messages": HI, "max_tokens": 1})

    loaded = engine.get("/healthz")["loaded"]

    assert (notice["url"], notice["pid"]) == (engine.url, engine.child.pid)
    assert len(loaded) == 1, "both adapters share one base"
    assert {Path(path).name for path in loaded[0]["adapters"]} == {"one", "two"}


@pytest.mark.parametrize("text", ["{", "[]", '{"models": [{"id": "a:1", "kind": "tree"}]}'])
def test_an_engine_without_a_usable_list_says_what_to_correct(text: str, tmp_path: Path) -> None:
    with running_engine(tmp_path, text) as engine:
        refused = engine.post({"model": "one:1", "messages": HI})

    assert refused.status_code == 503
    assert refused.json()["error"]["code"] == "models_unreadable"


def _streaming(url: str, body: dict[str, Any]) -> socket.socket:
    """A raw connection that has sent a call, so that it can be cut at any byte."""
    place = urlsplit(url)
    content = json.dumps(body).encode()
    connection = socket.create_connection((place.hostname, place.port), timeout=60)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(content)}\r\n"
    connection.sendall(f"{head}Connection: close\r\n\r\n".encode() + content)
    return connection
