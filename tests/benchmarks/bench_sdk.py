"""What logging a call costs the caller's thread, with the server up, dead and black-holed.

Rounds of each condition and of a no-op SDK alternate in one process; a figure is the median over
rounds, with the lowest and highest round beside it. One call is about 5 KB: a chat of four
messages, two tools, and a response. A host logs 20 calls in a burst and then sleeps for 1 ms, so
one call in 20 finds cold caches. Every call counts, none is left out; "all calls" pools those of
all rounds. CPU is the thread's own time for a call, that of the sender's thread is not in it. The
server runs in this process too, as in no app, which makes the caches of "server up" colder.

`get_prompt` is measured as often and in the same bursts: with the server up a prompt that is fresh,
with the server dead one that was fetched before and is long stale, so that every call also looks
whether to ask again. Run:
`python -m tests.benchmarks.bench_sdk [--rounds 7] [--calls 2000]`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from stillhouse import Client
from tests.sdk.prompt_server import PromptServer
from tests.sdk.servers import StillhouseServer, black_hole, dead_url

KEY = "sh_abcdefgh_" + "s" * 43
OUTPUT = Path("var/bench/sdk.json")
TARGET_US = 50.0
TARGET_PROMPT_US = 20.0
TARGET_EXIT_S = 2.5
PAUSE_EVERY = 20  # a host that logs 20 calls in a burst, then works: 1 ms

REQUEST: dict[str, Any] = {
    "model": "small",
    "temperature": 0,
    "messages": [
        {"role": role, "content": f"Sentence {n} with a few words in it, ünïcode too. " * 20}
        for n, role in enumerate(("system", "user", "assistant", "user"))
    ],
    "tools": [
        {"type": "function", "function": {"name": f"f{n}", "parameters": {"type": "object"}}}
        for n in range(2)
    ],
}
RESPONSE = json.dumps({"id": "r", "choices": [{"message": {"content": "An answer. " * 60}}]})

Log = Callable[..., object]


def noop(**_: object) -> None:
    return None


class Round(NamedTuple):
    """Every call of one round, sorted, in microseconds; and the thread's CPU time for a call."""

    took: list[float]
    cpu: float

    def percentile(self, share: float) -> float:
        return self.took[int(len(self.took) * share)]


def one_round(log: Log, calls: int) -> Round:
    clock, raw, took = time.perf_counter, RESPONSE.encode(), []
    cpu = time.thread_time()
    for n in range(calls):
        started = clock()
        log(request=REQUEST, response=raw, tags={"route": "bench"}, duration_ms=10.0)
        took.append(clock() - started)
        if n % PAUSE_EVERY == 0:
            time.sleep(0.001)
    cpu = (time.thread_time() - cpu) / calls * 1e6
    return Round(sorted(seconds * 1e6 for seconds in took), cpu)


def prompt_round(get: Callable[[], object], calls: int) -> Round:
    clock, took = time.perf_counter, []
    cpu = time.thread_time()
    for n in range(calls):
        started = clock()
        get()
        took.append(clock() - started)
        if n % PAUSE_EVERY == 0:
            time.sleep(0.001)
    cpu = (time.thread_time() - cpu) / calls * 1e6
    return Round(sorted(seconds * 1e6 for seconds in took), cpu)


def prompt_figures(rounds: int, calls: int) -> list[dict[str, Any]]:
    living, dying = PromptServer(), PromptServer()
    gets = {}
    for name, server, lifetime in (("server up", living, 60.0), ("server dead", dying, 0.1)):
        server.save("support/triage", 3, REQUEST["messages"])
        client = Client(KEY, server.url)
        gets[name] = partial(client.get_prompt, "support/triage", cache_ttl_seconds=lifetime)
        gets[name]()
    dying.close()
    rounds_of: dict[str, list[Round]] = {name: [] for name in gets}
    for _ in range(rounds):
        for name, get in gets.items():
            rounds_of[name].append(prompt_round(get, calls))
    living.close()
    figures = []
    for name, done in rounds_of.items():
        p50s, p99s = [[each.percentile(share) for each in done] for share in (0.5, 0.99)]
        figures.append(figure(f"get_prompt from cache p50, {name}", p50s, "us"))
        title = f"get_prompt from cache p99, {name}"
        figures.append(figure(title, p99s, "us", target=TARGET_PROMPT_US))
    return figures


def exit_seconds(url: str) -> float:
    """From the program's last line to the end of its process, with 500 calls queued."""
    script = (
        "import time; from stillhouse import Client; c = Client()\n"
        "for n in range(500): c.log(request={'n': n})\n"
        "print(time.time(), flush=True)"
    )
    env = {**os.environ, "STILLHOUSE_URL": url, "STILLHOUSE_API_KEY": KEY}
    env["PYTHONPATH"] = os.pathsep.join(sys.path)
    done = subprocess.run(
        [sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True
    )
    return time.time() - float(done.stdout)


def figure(name: str, values: list[float], unit: str, **about: float | None) -> dict[str, Any]:
    middle = statistics.median(values)
    spread = {"value": middle, "low": min(values), "high": max(values)}
    known = {key: round(value, 3) for key, value in spread.items()}
    return {"name": name, **known, "unit": unit, "target": None, "baseline": None, **about}


def capture_figures(urls: dict[str, str], rounds: int, calls: int) -> list[dict[str, Any]]:
    clients = {name: Client(KEY, url) for name, url in urls.items()}
    logs: dict[str, Log] = {"no-op": noop, **{name: c.log for name, c in clients.items()}}
    rounds_of: dict[str, list[Round]] = {name: [] for name in logs}
    for _ in range(rounds):
        for name, log in logs.items():
            rounds_of[name].append(one_round(log, calls))
    for client in clients.values():
        client.close(0.5)
    base = statistics.median(each.cpu for each in rounds_of["no-op"])
    figures = []
    for name, done in rounds_of.items():
        target = None if name == "no-op" else TARGET_US
        p50s, p99s = [[each.percentile(share) for each in done] for share in (0.5, 0.99)]
        pooled = Round(sorted(took for each in done for took in each.took), 0.0)
        figures.append(figure(f"capture p50, {name}", p50s, "us"))
        figures.append(figure(f"capture p99, {name}", p99s, "us", target=target))
        figures.append(figure(f"p99 of all calls, {name}", [pooled.percentile(0.99)], "us"))
        figures.append(figure(f"CPU, {name}", [each.cpu for each in done], "us", baseline=base))
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--calls", type=int, default=2000)
    options = parser.parse_args()
    server = StillhouseServer()
    with black_hole() as hole:
        urls = {"server up": server.url, "server dead": dead_url(), "black hole": hole}
        figures = capture_figures(urls, options.rounds, options.calls)
        for name, url in urls.items():
            took = [exit_seconds(url) for _ in range(3)]
            figures.append(figure(f"exit, {name}", took, "s", target=TARGET_EXIT_S))
    figures += prompt_figures(options.rounds, options.calls)
    machine = f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}"
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps({"machine": machine, "figures": figures}, indent=1) + "\n")
    print(f"{'figure':40}{'value':>10}{'low':>10}{'high':>10}  unit  target")
    for row in figures:
        spread = "".join(f"{row[key]:>10.2f}" for key in ("value", "low", "high"))
        print(f"{row['name']:40}{spread}  {row['unit']:4}  {row['target'] or ''}")


if __name__ == "__main__":
    main()
