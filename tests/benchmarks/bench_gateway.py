"""What the gateway costs, logging on and durable, against a bare ASGI + aiohttp pass-through.

Four processes: a provider that answers at once, the pass-through, the product's web process with
its built-in Postgres in a folder of its own, and this one, which calls. Rounds alternate between
the two, so that whatever else the machine does hurts both. CPU is that of the web process and of
the pass-through (Postgres is told apart). Latency is measured at 100 calls a second.

Run: `python -m tests.benchmarks.bench_gateway [--rounds 9] [--calls 2000]`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import psutil

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "var" / "bench" / "gateway.json"
CALLERS = 16
CALLS_A_SECOND = 100
MESSAGES = [{"role": "user", "content": "a question of some length " * 120}]
WHOLE = json.dumps({"messages": MESSAGES, "model": "bench"}).encode()
STREAM = json.dumps({"messages": MESSAGES, "model": "bench", "stream": True}).encode()
PREPARE = """
from workbench.core.actions import create_api_key, create_project
from workbench.providers.actions import save_connection
project = create_project(name="Bench", owner=None)
save_connection(project, name="bench", base_url={url!r}, by=None, credential="sk-bench",
                allow_private_network=True)
print(create_api_key(project, name="bench", scopes=["gateway"], by=None)[1])
"""
COUNT = "from requests_log.models import RequestRow; print(RequestRow.objects.count())"


@dataclass(frozen=True)
class Server:
    """A process that is called."""

    url: str
    pid: int
    key: str = ""

    def cpu(self) -> float:
        """CPU seconds of the process so far, all threads."""
        times = psutil.Process(self.pid).cpu_times()
        return float(times.user + times.system)


@contextmanager
def served(app: str, env: dict[str, str]) -> Iterator[Server]:
    """An ASGI app in a process of its own, with the product's own event loop and parser."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = [sys.executable, "-m", "uvicorn", app, "--port", str(port), "--log-level", "error"]
    options = ["--loop", "uvloop", "--http", "httptools", "--no-access-log"]
    process = subprocess.Popen([*program, *options], cwd=ROOT, env=env)
    try:
        _await_port(port)
        yield Server(f"http://127.0.0.1:{port}/v1", process.pid)
    finally:
        process.terminate()
        process.wait(20)


def _await_port(port: int) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit("A server did not start within a minute.")


def manage(env: dict[str, str], *arguments: str) -> str:
    program = [sys.executable, str(ROOT / "manage.py"), *arguments]
    done = subprocess.run(program, cwd=ROOT, env=env, check=True, capture_output=True, text=True)
    return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""


async def burst(
    session: aiohttp.ClientSession, server: Server, body: bytes, calls: int
) -> tuple[float, float]:
    """CPU milliseconds and wall milliseconds a call, CALLERS at once."""
    numbers = iter(range(calls))

    async def caller() -> None:
        for _ in numbers:
            await call(session, server, body)

    cpu, started = server.cpu(), time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    await asyncio.sleep(0.05)  # what is logged after the answer counts too
    return (server.cpu() - cpu) / calls * 1e3, (time.perf_counter() - started - 0.05) / calls * 1e3


async def call(session: aiohttp.ClientSession, server: Server, body: bytes) -> float:
    """Milliseconds from sending to the last byte."""
    headers = {"Authorization": f"Bearer {server.key}", "Content-Type": "application/json"}
    started = time.perf_counter()
    async with session.post(
        f"{server.url}/chat/completions", data=body, headers=headers
    ) as response:
        await response.read()
        if response.status != 200:
            raise SystemExit(f"The server answered {response.status}.")
    return (time.perf_counter() - started) * 1e3


async def paced(session: aiohttp.ClientSession, server: Server, calls: int) -> list[float]:
    """Latencies in milliseconds at CALLS_A_SECOND."""
    tasks = []
    for _ in range(calls):
        tasks.append(asyncio.create_task(call(session, server, WHOLE)))
        await asyncio.sleep(1 / CALLS_A_SECOND)
    return sorted(await asyncio.gather(*tasks))


@dataclass
class Measured:
    """One list entry a round."""

    cpu: dict[str, list[tuple[float, float]]]
    wall: list[float]
    added: list[tuple[float, float]]
    tails: list[tuple[float, float]]


async def measure(gateway: Server, plain: Server, rounds: int, calls: int) -> Measured:
    found = Measured({"whole": [], "stream": []}, [], [], [])
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        for server in (plain, gateway):
            await burst(session, server, WHOLE, 100)
            await burst(session, server, STREAM, 50)
        for _ in range(rounds):
            for name, body in (("whole", WHOLE), ("stream", STREAM)):
                base, _ = await burst(session, plain, body, calls)
                ours, wall = await burst(session, gateway, body, calls)
                found.cpu[name].append((ours, base))
                found.wall += [1e3 / wall] if name == "whole" else []
            alone = await paced(session, plain, 200)
            through = await paced(session, gateway, 200)
            found.added.append((through[100] - alone[100], through[198] - alone[198]))
            found.tails.append((alone[198], through[198]))
    return found


def figures(found: Measured) -> list[dict[str, Any]]:
    rows = []
    for name, pairs in found.cpu.items():
        base = statistics.median(base for _, base in pairs)
        rows += [
            figure(f"{name}: CPU a call", [o for o, _ in pairs], "ms", target=1.2, baseline=base),
            figure(f"{name}: CPU / pass-through", [o / b for o, b in pairs], "x", target=3.0),
        ]
    return [
        *rows,
        figure("whole: calls a second, 16 callers", found.wall, "calls/s"),
        figure("added at 100 calls/s, median", [a for a, _ in found.added], "ms"),
        figure("added at 100 calls/s, p99", [b for _, b in found.added], "ms", target=10.0),
        figure("p99 of the pass-through itself", [alone for alone, _ in found.tails], "ms"),
        figure("p99 of the gateway", [through for _, through in found.tails], "ms"),
    ]


def figure(name: str, values: list[float], unit: str, **about: float | None) -> dict[str, Any]:
    spread = {"value": statistics.median(values), "low": min(values), "high": max(values)}
    known = {key: round(value, 3) for key, value in (spread | about).items() if value is not None}
    return {"name": name, "target": None, "baseline": None, **known, "unit": unit}


def run(rounds: int, calls: int) -> list[dict[str, Any]]:
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        stack.callback(stop_postgres, Path(folder))
        path = f"{ROOT / 'platform'}{os.pathsep}{ROOT}"
        env = {**os.environ, "PYTHONPATH": path, "VAR_DIR": folder, "LOG_LEVEL": "WARNING"}
        env.pop("DATABASE_URL", None)
        (Path(folder) / "static").mkdir()
        provider = stack.enter_context(served("tests.benchmarks.gateway_peers:provider", env))
        plain_env = {**env, "UPSTREAM": provider.url}
        plain = stack.enter_context(served("tests.benchmarks.gateway_peers:plain", plain_env))
        manage(env, "migrate", "--verbosity", "0")
        key = manage(env, "shell", "--verbosity", "0", "-c", PREPARE.format(url=provider.url))
        web = stack.enter_context(served("workbench.asgi:application", env))
        found = asyncio.run(measure(Server(web.url, web.pid, key), plain, rounds, calls))
        logged = int(manage(env, "shell", "--verbosity", "0", "-c", COUNT))
        expected = 150 + rounds * (2 * calls + 200)
        if logged != expected:
            raise SystemExit(f"{logged} calls are in the log; {expected} were made.")
        return figures(found)


def stop_postgres(folder: Path) -> None:
    """Stop what a web process that a signal ended has left running; it writes into the folder."""
    from workbench import embedded

    postgres = embedded.server(folder)
    postgres.ensure_running()
    postgres.leave()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--calls", type=int, default=2000)
    options = parser.parse_args()
    rows = run(options.rounds, options.calls)
    machine = f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}"
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps({"machine": machine, "figures": rows}, indent=1) + "\n")
    print(f"{'figure':36}{'value':>10}{'low':>10}{'high':>10}  unit     target")
    for row in rows:
        spread = "".join(f"{row[key]:>10.2f}" for key in ("value", "low", "high"))
        print(f"{row['name']:36}{spread}  {row['unit']:8} {row['target'] or ''}")


if __name__ == "__main__":
    main()
