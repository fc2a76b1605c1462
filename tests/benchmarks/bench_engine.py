"""What batching gives, and how many short answers a second one engine process gives.

Everything goes over HTTP to a real engine. Rounds alternate: one caller and 16 callers with greedy
answers of exactly 64 tokens, from a model of the tiny teacher's shape whose random weights never
end a turn; 16 callers whose sampled answers from the teacher end anywhere within 64 tokens; 32
callers with short greedy answers from the teacher. A figure is the median over rounds, with the
lowest and highest round beside it. CPU time is that of the engine process, all threads: it tells
the same on a busy machine.

Run: `python -m tests.benchmarks.bench_engine [--rounds 5] [--threads 1]`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import shutil
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import psutil

from finetunes.rendering import RenderSettings, render_fingerprint
from tests.engine.running import ROOT, RunningEngine, running_engine

TEACHER = ROOT / "finetunes" / "nano" / "teacher"
OUTPUT = ROOT / "var" / "bench" / "engine.json"
TARGET_RATIO = 4.0
LONG = {"model": "endless:1", "temperature": 0, "max_tokens": 64}
UNEVEN = {"model": "teacher:1", "temperature": 2.0, "max_tokens": 64}
SHORT = {"model": "teacher:1", "temperature": 0, "max_tokens": 3}


@dataclass(frozen=True)
class Round:
    """One round: answers, their tokens, wall seconds and the engine's CPU seconds."""

    answers: int
    tokens: int
    seconds: float
    cpu: float


async def one_round(
    engine: RunningEngine, callers: int, answers: int, settings: dict[str, Any]
) -> Round:
    """`callers` callers at once, each asking again as soon as it has its answer."""
    numbers = iter(range(answers))
    tokens = 0

    async def caller(session: aiohttp.ClientSession) -> None:
        nonlocal tokens
        for number in numbers:
            question = f"What is the capital of country {number}?"
            messages = [{"role": "user", "content": question}]
            body = {"messages": messages, "seed": number, **settings}
            async with session.post(f"{engine.url}/v1/chat/completions", json=body) as response:
                tokens += (await response.json())["usage"]["completion_tokens"]

    process = psutil.Process(engine.child.pid)
    cpu, started = sum(process.cpu_times()[:2]), time.perf_counter()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(caller(session) for _ in range(callers)))
    seconds = time.perf_counter() - started
    return Round(answers, tokens, seconds, sum(process.cpu_times()[:2]) - cpu)


def figure(name: str, values: list[float], unit: str, **about: float | None) -> dict[str, Any]:
    middle = statistics.median(values)
    spread = {"value": middle, "low": min(values), "high": max(values)}
    known = {key: round(value, 3) for key, value in spread.items()}
    return {"name": name, **known, "unit": unit, "target": None, "baseline": None, **about}


async def measure(engine: RunningEngine, rounds: int) -> list[dict[str, Any]]:
    for settings in (LONG, SHORT):
        await one_round(engine, 16, 32, settings)
    one, sixteen, uneven, short = [], [], [], []
    for _ in range(rounds):
        one.append(await one_round(engine, 1, 4, LONG))
        sixteen.append(await one_round(engine, 16, 48, LONG))
        uneven.append(await one_round(engine, 16, 64, UNEVEN))
        short.append(await one_round(engine, 32, 400, SHORT))
    return [*_batching(one, sixteen), *_serving(uneven, short)]


def _batching(one: list[Round], sixteen: list[Round]) -> list[dict[str, Any]]:
    pairs = list(zip(one, sixteen, strict=True))
    alone = [r.tokens / r.seconds for r in one]
    together = [r.tokens / r.seconds for r in sixteen]
    base = round(statistics.median(alone), 3)
    ratios = [(b.tokens / b.seconds) / (a.tokens / a.seconds) for a, b in pairs]
    cpu_ratios = [(b.tokens / b.cpu) / (a.tokens / a.cpu) for a, b in pairs]
    return [
        figure("batch-1 speed", alone, "tokens/s"),
        figure("batch-16 speed", together, "tokens/s", baseline=base),
        figure("batch-16 / batch-1", ratios, "x", target=TARGET_RATIO),
        figure("batch-16 / batch-1, per CPU second", cpu_ratios, "x"),
    ]


def _serving(uneven: list[Round], short: list[Round]) -> list[dict[str, Any]]:
    return [
        figure("uneven answers, 16 callers", [r.tokens / r.seconds for r in uneven], "tokens/s"),
        figure("short answers, 32 callers", [r.answers / r.seconds for r in short], "requests/s"),
        figure("engine CPU per short answer", [1e3 * r.cpu / r.answers for r in short], "ms"),
    ]


def endless_model(folder: Path) -> Path:
    """A model of the teacher's shape with random weights: it repeats itself without end."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    shutil.copytree(TEACHER, folder)
    AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(TEACHER)).save_pretrained(folder)
    return folder


def models(endless: Path) -> str:
    rows = []
    for name, path in (("teacher:1", TEACHER), ("endless:1", endless)):
        fingerprint = render_fingerprint(path, RenderSettings())
        rows.append({"id": name, "kind": "full", "path": str(path), "fingerprint": fingerprint})
    return json.dumps({"models": rows})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    threads = ("--threads", str(options.threads))
    with (
        tempfile.TemporaryDirectory() as folder,
        running_engine(
            Path(folder) / "engine", models(endless_model(Path(folder) / "endless")), *threads
        ) as engine,
    ):
        figures = asyncio.run(measure(engine, options.rounds))
    machine = f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}"
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps({"machine": machine, "figures": figures}, indent=1) + "\n")
    print(f"{'figure':36}{'value':>10}{'low':>10}{'high':>10}  unit        target")
    for row in figures:
        spread = "".join(f"{row[key]:>10.2f}" for key in ("value", "low", "high"))
        print(f"{row['name']:36}{spread}  {row['unit']:10}  {row['target'] or ''}")


if __name__ == "__main__":
    main()
