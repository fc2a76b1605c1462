"""Which ASGI server: uvicorn (uvloop, httptools) against granian, the same app, one process each.

The app answers a small document to a 5 KB POST, which is what ingest does but for the database.
Rounds alternate between the two, so that whatever else the machine does hurts both; CPU is that of
the server's process tree. Printed and written to var/bench/servers.json; docs/adr/0014 tells the
choice. Run: `python -m tests.benchmarks.bench_servers [--rounds 7] [--calls 3000]`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import psutil

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "var" / "bench" / "servers.json"
BODY = b"x" * 5000
CALLERS = 16
APP = "tests.benchmarks.bench_servers:app"


async def app(scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Any) -> None:
    """Read the body, answer 200."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    head = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
    await send(head)
    await send({"type": "http.response.body", "body": b"ok"})


def command(server: str, port: int) -> list[str]:
    """How the server is started."""
    if server == "uvicorn":
        options = [
            "--loop",
            "uvloop",
            "--http",
            "httptools",
            "--no-access-log",
            "--lifespan",
            "off",
        ]
        return [sys.executable, "-m", "uvicorn", APP, "--port", str(port), *options]
    options = ["--interface", "asginl", "--workers", "1", "--no-access-log"]
    return [sys.executable, "-m", "granian", APP, "--port", str(port), *options]


def start(server: str) -> tuple[subprocess.Popen[bytes], str]:
    """Start a server on a free port and wait until it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        command(server, port), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    end = time.monotonic() + 30
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process, f"http://127.0.0.1:{port}/"
        time.sleep(0.05)
    raise RuntimeError(f"{server} did not start")


def cpu(pid: int) -> float:
    """CPU seconds of a process and its children so far."""
    parent = psutil.Process(pid)
    times = [p.cpu_times() for p in (parent, *parent.children(recursive=True))]
    return float(sum(t.user + t.system for t in times))


async def call(url: str, calls: int) -> float:
    """Send the calls from several callers at once; returns the seconds it took."""
    left = iter(range(calls))
    async with aiohttp.ClientSession() as session:

        async def caller() -> None:
            for _ in left:
                async with session.post(url, data=BODY) as answer:
                    await answer.read()

        started = time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(CALLERS)))
        return time.perf_counter() - started


def measure(rounds: int, calls: int) -> dict[str, list[tuple[float, float]]]:
    """(calls a second, CPU microseconds a call) of each round and server."""
    running = {server: start(server) for server in ("uvicorn", "granian")}
    found: dict[str, list[tuple[float, float]]] = {server: [] for server in running}
    try:
        for _ in range(rounds):
            for server, (process, url) in running.items():
                before = cpu(process.pid)
                seconds = asyncio.run(call(url, calls))
                used = cpu(process.pid) - before
                found[server].append((calls / seconds, used / calls * 1e6))
    finally:
        for process, _ in running.values():
            process.terminate()
            process.wait(20)
    return found


def figures(found: dict[str, list[tuple[float, float]]]) -> list[dict[str, Any]]:
    """Granian over uvicorn, round by round."""
    pairs = list(zip(found["granian"], found["uvicorn"], strict=True))
    ratios = {
        "calls a second, granian / uvicorn": [g[0] / u[0] for g, u in pairs],
        "CPU a call, granian / uvicorn": [g[1] / u[1] for g, u in pairs],
    }
    return [
        {
            "name": name,
            "value": round(statistics.median(values), 3),
            "low": round(min(values), 3),
            "high": round(max(values), 3),
            "unit": "ratio",
            "target": None,
            "baseline": "uvicorn",
        }
        for name, values in ratios.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--calls", type=int, default=3000)
    options = parser.parse_args()
    rows = figures(measure(options.rounds, options.calls))
    for row in rows:
        print(f"{row['name']:<36} {row['value']:>6.2f}  ({row['low']:.2f} to {row['high']:.2f})")
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    told = {"machine": platform.platform(), "figures": rows}
    OUTPUT.write_text(json.dumps(told, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
