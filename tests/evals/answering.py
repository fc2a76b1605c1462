"""A model provider for comparisons: a real HTTP server that answers by a rule and counts."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Rule = Callable[[str], Any]
"""From the last message's text to an answer, or to a pair of a status and a sentence."""


USAGE = {"prompt_tokens": 7, "completion_tokens": 3}


@dataclass
class Provider:
    """The running server: `rules` by model name, and the questions it was asked.

    `slow` says how many seconds the answer to a question takes.
    """

    url: str = ""
    rules: dict[str, Rule] = field(default_factory=dict)
    slow: dict[str, float] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    usage: object = field(default_factory=lambda: dict(USAGE))

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json()
        question = str(body["messages"][-1]["content"])
        self.asked.append((body["model"], question))
        self.bodies.append(body)
        if question in self.slow:
            await asyncio.sleep(self.slow[question])
        said = self.rules[body["model"]](question)
        if isinstance(said, tuple):
            status, sentence = said
            return web.json_response({"error": {"message": sentence}}, status=status)
        return web.json_response(
            {
                "choices": [{"message": _message(said)}],
                "usage": self.usage,
            },
            dumps=lambda value: json.dumps(value, ensure_ascii=True),
        )


def _message(said: Any) -> dict[str, Any]:
    """A rule's answer as a message: text, or the message's own fields."""
    return {"role": "assistant", **(said if isinstance(said, dict) else {"content": said})}


class ProviderThread:
    """Runs the server on a loop of its own."""

    def __init__(self) -> None:
        self.provider = Provider()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="provider", daemon=True)

    def start(self) -> Provider:
        self._thread.start()
        assert self._ready.wait(60)
        return self.provider

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        runner = self._loop.run_until_complete(self._serve())
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.close()

    async def _serve(self) -> web.AppRunner:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self.provider.answer)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        self.provider.url = f"http://{host}:{port}/v1"
        return runner
