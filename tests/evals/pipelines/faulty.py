"""A provider with faults and a rate limit that it tells in headers; it counts what it was asked.

Answers a question in upper case. Which call fails how is drawn by its number and the seed. It runs
in a thread, or as a program (`python -m tests.evals.pipelines.faulty '{"limit": 10}'`).
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

FAULTS = {"busy": 0.10, "broken": 0.05, "hang": 0.02, "malformed": 0.01}


@dataclass
class Faulty:
    """`asked` counts calls by question, `finished` those answered well, `over` those above the
    limit of `limit` calls in `window` seconds. `seconds` is how long a good answer takes."""

    faults: dict[str, float] = field(default_factory=dict)
    limit: int = 0
    window: float = 1.0
    seconds: float = 0.0
    retry_after_ms: int = 10
    seed: int = 1
    url: str = ""
    asked: Counter[str] = field(default_factory=Counter)
    finished: Counter[str] = field(default_factory=Counter)
    faulted: Counter[str] = field(default_factory=Counter)
    calls: int = 0
    over: int = 0
    on_call: threading.Condition = field(default_factory=threading.Condition)
    _since: float = 0.0
    _in_window: int = 0

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json()
        question = str(body["messages"][-1]["content"])
        headers = self._counted(question)
        fault = self._fault(self.calls)
        if fault:
            self.faulted[fault] += 1
        if fault == "hang":
            await asyncio.sleep(3600)
        if fault == "busy":
            wait = {**headers, "retry-after-ms": str(self.retry_after_ms)}
            return web.json_response({"error": {"message": "Busy."}}, status=429, headers=wait)
        if fault == "broken":
            return web.Response(status=500, text="broken", headers=headers)
        if fault == "malformed":
            return web.Response(text='{"choices": [', headers=headers)
        if self.seconds:
            await asyncio.sleep(self.seconds)
        self.finished[question] += 1
        message = {"role": "assistant", "content": question.upper()}
        usage = {"prompt_tokens": 10, "completion_tokens": 5}
        done = {"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}
        return web.json_response(done, headers=headers)

    async def counts(self, _: web.Request) -> web.Response:
        """What a program that started this one wants to know."""
        told = {
            "calls": self.calls, "over": self.over, "faulted": self.faulted,
            "asked": self.asked, "finished": self.finished,
        }  # fmt: skip
        return web.json_response(told)

    def _counted(self, question: str) -> dict[str, str]:
        self.calls += 1
        self.asked[question] += 1
        with self.on_call:
            self.on_call.notify_all()
        if not self.limit:
            return {}
        now = time.monotonic()
        if now - self._since >= self.window:
            self._since, self._in_window = now, 0
        self._in_window += 1
        self.over += self._in_window > self.limit
        left = max(0, self.limit - self._in_window)
        reset = self._since + self.window - now
        return {
            "x-ratelimit-limit-requests": str(self.limit),
            "x-ratelimit-remaining-requests": str(left),
            "x-ratelimit-reset-requests": f"{reset * 1000:.3f}ms",
        }

    def _fault(self, number: int) -> str:
        drawn = random.Random(self.seed * 1_000_003 + number).random()
        for name, share in self.faults.items():
            drawn -= share
            if drawn < 0:
                return name
        return ""


class FaultyThread:
    """Runs the provider on a loop of its own; use it as a context manager."""

    def __init__(self, provider: Faulty) -> None:
        self.provider = provider
        self._served = served(lambda: serve(provider))

    def __enter__(self) -> Faulty:
        self._served.__enter__()
        return self.provider

    def __exit__(self, *_: object) -> None:
        self._served.__exit__(None, None, None)


@contextmanager
def served(start: Callable[[], Coroutine[Any, Any, web.AppRunner]]) -> Iterator[None]:
    """A server on a loop and a thread of its own."""
    loop, ready = asyncio.new_event_loop(), threading.Event()

    def through() -> None:
        asyncio.set_event_loop(loop)
        runner = loop.run_until_complete(start())
        ready.set()
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.close()

    thread = threading.Thread(target=through, name="provider", daemon=True)
    thread.start()
    assert ready.wait(60)
    yield
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)


class FaultyProcess:
    """Runs the provider as a program, which takes no time of this one's; a context manager."""

    def __init__(self, **fields: Any) -> None:
        self._told = json.dumps(fields)
        self.url = ""

    def __enter__(self) -> FaultyProcess:
        program = [sys.executable, "-m", "tests.evals.pipelines.faulty", self._told]
        self._process = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def counts(self) -> dict[str, Any]:
        """Calls, those over the limit, faults by kind, and by question how often it was asked and
        answered."""
        with urllib.request.urlopen(f"{self.url}/counts") as answer:  # noqa: S310 - our own server
            told: dict[str, Any] = json.load(answer)
        return told


async def serve(provider: Faulty) -> web.AppRunner:
    """Start it on a free port and note its address."""
    app = web.Application()
    app.router.add_post("/v1/chat/completions", provider.answer)
    app.router.add_get("/v1/counts", provider.counts)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    provider.url = f"http://{host}:{port}/v1"
    return runner


async def main(told: str) -> None:
    provider = Faulty(**json.loads(told))
    await serve(provider)
    sys.stdout.write(f"{provider.url}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
