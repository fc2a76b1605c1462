"""Items 28 to 31 of docs/bad-input.md; 32 is in test_masking.py, 33 in test_spool.py."""

from __future__ import annotations

import gc
import logging
import subprocess
import threading
import time
from typing import Any

import pytest

from stillhouse import Client
from tests.sdk.conftest import ClientMaker
from tests.sdk.servers import StillhouseServer, black_hole, dead_url
from tests.sdk.test_processes import exit_bound, names, run

HELLO = {"model": "small", "messages": []}


def test_28_a_fork_while_the_sender_waits_for_an_answer(server: StillhouseServer) -> None:
    """The server holds the parent's request while children come, send and go."""
    server.hold = threading.Event()
    done: list[subprocess.CompletedProcess[str]] = []
    script = """
for i in range(150): log(f"parent-{i}")
client._worker.hurry()
time.sleep(0.3)  # by now it waits for its answer
pids = []
for n in range(5):
    pid = os.fork()
    if pid == 0:
        for i in range(10): log(f"child-{n}-{i}")
        ok = client.flush(60)
        os._exit(0 if ok and client.stats().sent == 10 else 1)
    pids.append(pid)
codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
ok = client.flush(60)
print(codes, ok, client.stats(), file=sys.stderr)
sys.exit(any(codes) or not ok or client.stats().sent != 150)
"""
    program = threading.Thread(target=lambda: done.append(run(script, server.url)))
    program.start()
    server.await_held()
    time.sleep(1.0)
    server.hold.set()
    program.join()

    assert done[0].returncode == 0, done[0].stderr
    expected = [f"parent-{i}" for i in range(150)]
    expected += [f"child-{n}-{i}" for n in range(5) for i in range(10)]
    assert names(server) == dict.fromkeys(expected, 1)


@pytest.mark.parametrize("kind", ["dead", "black hole"])
def test_29_a_full_queue_and_no_server_hold_up_the_exit_for_two_seconds(kind: str) -> None:
    script = """
for i in range(12_000): log(str(i))
assert client.stats().queued == 10_000, client.stats()
assert client.stats().dropped["queue_full"] == 2_000
print(time.time(), flush=True)
"""
    with black_hole() as hole:
        url = hole if kind == "black hole" else dead_url()
        bound = exit_bound(url)
        done = run(script, url)

        took = time.time() - float(done.stdout)
    assert done.returncode == 0, done.stderr
    assert took < bound


class Dying:
    """Logs while it is collected, which may be in the middle of anything."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.circle = self

    def __del__(self) -> None:
        self.client.log(request={"from": "del"})


def test_30_logging_from_finalisers_and_log_handlers(
    server: StillhouseServer, client: Client
) -> None:
    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            client.log(request={"from": "handler"})

    handler = Handler()
    logging.getLogger("stillhouse").addHandler(handler)
    try:
        for _ in range(300):
            Dying(client)
            client.log(request=HELLO)
            logging.getLogger("stillhouse").warning("A sentence.")
        gc.collect()
    finally:
        logging.getLogger("stillhouse").removeHandler(handler)

    assert client.flush(60)
    sources = [event["request"].get("from") for event in server.events]
    lost = client.stats().dropped.get("reentrant", 0)
    assert sources.count("handler") == 300
    assert sources.count("del") + lost == 300
    assert sources.count(None) == 300


def test_30_threads_that_log_while_the_interpreter_ends(server: StillhouseServer) -> None:
    done = run(
        """
def busy():
    while True: log("busy")
for _ in range(3): threading.Thread(target=busy, daemon=True).start()
time.sleep(0.3)
""",
        server.url,
    )

    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_31_what_changes_while_it_is_logged(server: StillhouseServer, client: Client) -> None:
    request: dict[str, Any] = {"items": [{"n": 0}], "odd": object()}
    stop = threading.Event()

    def change() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            request[f"key-{number % 50}"] = number
            request["items"].append({"n": number})
            request.pop(f"key-{(number + 25) % 50}", None)
            if number % 200 == 0:
                request["items"].clear()

    thread = threading.Thread(target=change)
    thread.start()
    for _ in range(300):
        client.log(request=request)
    stop.set()
    thread.join()

    assert client.flush(60)
    lost = client.stats().dropped
    assert len(server.events) + sum(lost.values()) == 300
    assert sum(lost.values()) < 30


def test_31_numbers_and_arrays_of_other_libraries(server: StillhouseServer, client: Client) -> None:
    numpy = pytest.importorskip("numpy")

    client.log(
        request={
            "n": numpy.float32(1.5),
            "i": numpy.int64(7),
            "nan": numpy.float64("nan"),
            "b": numpy.bool_(True),
        },
        response={"array": numpy.zeros(3)},
    )

    assert client.flush(60)
    event = server.events[0]
    assert event["request"]["n"] == 1.5
    assert event["request"]["i"] == 7
    assert event["request"]["b"] is True
    assert event["request"]["nan"]["$stillhouse"] == "not_finite"
    assert event["response"]["array"]["$stillhouse"] == "unserialisable"


def test_31_depth_and_size_are_bounded(server: StillhouseServer, client: Client) -> None:
    deep: Any = "end"
    for _ in range(100_000):
        deep = [deep]
    wide = {"many": [object()] * 300_000}

    client.log(request={"deep": deep})
    client.log(request=wide)

    assert client.flush(60)
    assert len(server.events) == 2
    assert b"too_deep" in server.seen[0].raw
    while isinstance(deep, list):  # freeing it in one go would overflow the C stack
        deep = deep[0]


def test_two_threads_never_leave_the_sender_asleep(make_client: ClientMaker) -> None:
    """So many events wake it, whichever thread brings the last of them."""
    server = StillhouseServer()
    for _ in range(20):
        client = make_client(server.url, flush_interval=60, max_queue_items=200)
        start = threading.Barrier(4)

        def log(client: Client = client, start: threading.Barrier = start) -> None:
            start.wait()
            for _ in range(25):  # at 100 of 200 it wakes
                client.log(request=HELLO)

        threads = [threading.Thread(target=log) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        deadline = time.monotonic() + 60
        while client.stats().sent < 100 and time.monotonic() < deadline:
            time.sleep(0.005)
        assert client.stats().sent == 100
    server.close()
