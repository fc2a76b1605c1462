"""Forks, exits and kills, each in a real process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

from tests.sdk.conftest import KEY
from tests.sdk.servers import StillhouseServer, black_hole, dead_url

PROMISED_S = 2.5
"""How long at most an exit is held up."""

PRELUDE = """
import os, signal, sys, threading, time
from stillhouse import Client
client = Client(flush_interval=60)
def log(name):
    return client.log(request={"name": name})
"""


def run(script: str, url: str, *, timeout: float = 240) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PRELUDE + script],
        env={**os.environ, "STILLHOUSE_URL": url, "STILLHOUSE_API_KEY": KEY, "PYTHONPATH": path()},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def exit_bound(url: str) -> float:
    """Seconds for a program and its exit: what is promised, on a machine as busy as this one."""
    started = time.monotonic()
    run("", url)
    return PROMISED_S + 1 + 5 * (time.monotonic() - started)


def path() -> str:
    return os.pathsep.join(sys.path)


def names(server: StillhouseServer) -> Counter[str]:
    """Every sending of every event, so that a second sending shows."""
    return Counter(
        event["request"]["name"] for seen in server.seen for event in seen.envelope["events"]
    )


def test_calls_queued_at_exit_are_delivered(server: StillhouseServer) -> None:
    done = run("for i in range(150): log(f'call-{i}')", server.url)

    assert done.returncode == 0, done.stderr
    assert names(server) == {f"call-{i}": 1 for i in range(150)}


def test_a_fork_sends_nothing_twice_and_loses_nothing(server: StillhouseServer) -> None:
    done = run(
        """
for i in range(50): log(f"parent-{i}")
pid = os.fork()
who = "child" if pid == 0 else "parent-late"
for i in range(50): log(f"{who}-{i}")
if pid == 0:
    ok = client.flush(60)
    os._exit(0 if ok and client.stats().captured == 50 else 1)
_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status) or not client.flush(60))
""",
        server.url,
    )

    assert done.returncode == 0, done.stderr
    expected = [f"{who}-{i}" for who in ("parent", "child", "parent-late") for i in range(50)]
    assert names(server) == dict.fromkeys(expected, 1)


def test_a_fork_while_every_lock_is_busy_does_not_deadlock(server: StillhouseServer) -> None:
    done = run(
        """
stop = threading.Event()
def busy():
    while not stop.is_set():
        log("parent"); time.sleep(0.0001)
threads = [threading.Thread(target=busy) for _ in range(3)]
for thread in threads: thread.start()
codes = []
for n in range(20):
    pid = os.fork()
    if pid == 0:
        log(f"child-{n}")
        os._exit(0 if client.flush(60) else 1)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
stop.set()
for thread in threads: thread.join()
print(codes, client.stats(), file=sys.stderr)
sys.exit(any(codes))
""",
        server.url,
    )

    assert done.returncode == 0, done.stderr
    sent = names(server)
    assert {name: n for name, n in sent.items() if "child" in name} == {
        f"child-{n}": 1 for n in range(20)
    }
    sendings = [event["id"] for seen in server.seen for event in seen.envelope["events"]]
    assert len(sendings) == len(set(sendings))


@pytest.mark.parametrize("kind", ["dead", "black hole"])
def test_the_process_exits_though_the_server_is_away(kind: str) -> None:
    with black_hole() as hole:
        url = hole if kind == "black hole" else dead_url()
        bound = exit_bound(url)
        started = time.monotonic()

        done = run("for i in range(500): log(str(i))\nOther = Client(); Other.log(request={})", url)

        assert done.returncode == 0, done.stderr
        assert time.monotonic() - started < bound


def test_a_first_call_at_exit_does_not_fail(server: StillhouseServer) -> None:
    done = run("import atexit; atexit.register(log, 'last')", server.url)

    assert done.returncode == 0
    assert "Traceback" not in done.stderr


def test_a_signal_handler_may_log_and_flush(server: StillhouseServer) -> None:
    done = run(
        """
hits = []
def handler(*_):
    log("handler"); client.flush(0); hits.append(1)
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.005, 0.005)
end = time.monotonic() + 1.5
while time.monotonic() < end: log("main")
signal.setitimer(signal.ITIMER_REAL, 0)
sys.exit(not (hits and client.flush(60)))
""",
        server.url,
    )

    assert done.returncode == 0, done.stderr
    assert names(server)["main"] > 0


def test_a_killed_process_loses_only_what_was_not_yet_sent(server: StillhouseServer) -> None:
    done = run(
        """
log("sent"); client.flush(60)
log("queued"); os.kill(os.getpid(), signal.SIGKILL)
""",
        server.url,
    )

    assert done.returncode == -signal.SIGKILL
    assert names(server) == {"sent": 1}


def test_the_host_log_handler_may_log_calls(server: StillhouseServer) -> None:
    done = run(
        """
import logging
class Handler(logging.Handler):
    def emit(self, record): log("from-handler")
logging.getLogger().addHandler(Handler())
log("first")
client.flush(1)
""",
        dead_url(),
    )

    assert done.returncode == 0, done.stderr


def test_an_exit_in_the_middle_of_a_request_sends_nothing_twice(server: StillhouseServer) -> None:
    """What the server holds when the time to flush is over may be stored, but is not sent again."""
    done = run(
        """
log("first"); client.flush(60)  # so that the connection is a kept one
import urllib.request, stillhouse._worker as worker
worker.EXIT_SECONDS = 0.3
def ask(path): return urllib.request.urlopen(os.environ["STILLHOUSE_URL"] + path).read()
ask("/hold")
log("held"); client.flush(0)
while b"1" not in ask("/held"): time.sleep(0.01)
""",
        server.url,
    )

    assert done.returncode == 0, done.stderr
    server.release()
    assert names(server) == {"first": 1, "held": 1}
