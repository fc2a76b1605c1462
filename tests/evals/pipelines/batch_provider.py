"""A provider with OpenAI's Batch API: files go up, batches are done when a test says so.

Answers a question in upper case, in a batch and by itself. `fails` says for which questions with
which status; in a batch they go to the error file.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.evals.pipelines.faulty import served

USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


@dataclass
class BatchProvider:
    """`created` counts batches that were asked for; `direct` are questions asked by themselves.

    With `hangs_on_create` a batch is created, and nobody is told.
    """

    url: str = ""
    fails: dict[str, int] = field(default_factory=dict)
    refuses: str = ""
    keys: set[str] = field(default_factory=set)
    direct: list[str] = field(default_factory=list)
    created: int = 0
    asked: Counter[str] = field(default_factory=Counter)
    files: dict[str, bytes] = field(default_factory=dict)
    batches: dict[str, dict[str, Any]] = field(default_factory=dict)
    hangs_on_create: bool = False
    has_created: threading.Event = field(default_factory=threading.Event)

    def finish(self, *, only: int | None = None, status: str = "completed") -> None:
        """Do the requests of every batch that is not over, or the first of each so many."""
        for batch in self.batches.values():
            if batch["status"] == "in_progress":
                self._finish(batch, only, status)

    def _finish(self, batch: dict[str, Any], only: int | None, status: str) -> None:
        lines = [json.loads(one) for one in self.files[batch["input_file_id"]].splitlines()]
        done: list[dict[str, Any]] = []
        failed: list[dict[str, Any]] = []
        for line in lines[:only]:
            question = line["body"]["messages"][-1]["content"]
            self.asked[question] += 1
            code = self.fails.get(question, 200)
            (done if code == 200 else failed).append(_answered(line, question, code))
        failed += [_expired(line) for line in lines[len(lines[:only]) :]]
        done.reverse()  # in no order, as the provider's documentation says
        for name, some in (("output_file_id", done), ("error_file_id", failed)):
            if some:
                batch[name] = f"file-{name}-{batch['id']}"
                self.files[batch[name]] = b"".join(json.dumps(one).encode() + b"\n" for one in some)
        counts = {"total": len(lines), "completed": len(done), "failed": len(failed)}
        batch.update(status=status, request_counts=counts)

    async def upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        assert form["purpose"] == "batch"
        upload = form["file"]
        assert isinstance(upload, web.FileField)
        name = f"file-{len(self.files)}"
        self.files[name] = upload.file.read()
        told = {"id": name, "object": "file", "bytes": len(self.files[name]), "created_at": 1,
                "filename": upload.filename, "purpose": "batch", "status": "processed"}  # fmt: skip
        return web.json_response(told)

    async def content(self, request: web.Request) -> web.Response:
        return web.Response(body=self.files[request.match_info["id"]])

    async def create(self, request: web.Request) -> web.Response:
        self.keys.add(request.headers.get("authorization", ""))
        body = await request.json()
        self.created += 1
        batch = {
            "id": f"batch_{self.created}", "object": "batch", "created_at": 1, "errors": None,
            "status": "in_progress", "request_counts": {"total": 0, "completed": 0, "failed": 0},
            **body,
        }  # fmt: skip
        if self.refuses:
            told = {"code": "invalid", "message": self.refuses, "line": 1}
            batch |= {"status": "failed", "errors": {"object": "list", "data": [told]}}
        self.batches[str(batch["id"])] = batch
        self.has_created.set()
        if self.hangs_on_create:
            await asyncio.Event().wait()
        return web.json_response(batch)

    async def list(self, request: web.Request) -> web.Response:
        newest = list(self.batches.values())[::-1]
        ids = [one["id"] for one in newest]
        start = ids.index(request.query["after"]) + 1 if "after" in request.query else 0
        page = newest[start : start + 2]  # small, so that there are several
        more = start + 2 < len(newest)
        return web.json_response({"object": "list", "data": page, "has_more": more})

    async def get(self, request: web.Request) -> web.Response:
        return web.json_response(self.batches[request.match_info["id"]])

    async def cancel(self, request: web.Request) -> web.Response:
        batch = self.batches[request.match_info["id"]]
        self._finish(batch, 2, "cancelled")
        return web.json_response({**batch, "status": "cancelling"})

    async def chat(self, request: web.Request) -> web.Response:
        question = str((await request.json())["messages"][-1]["content"])
        self.direct.append(question)
        return web.json_response(_completion(question))


def _completion(question: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": question.upper()}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [choice], "usage": USAGE}  # fmt: skip


def _answered(line: dict[str, Any], question: str, code: int) -> dict[str, Any]:
    error = {"error": {"message": f"Status {code} it is.", "type": "e", "code": None}}
    body = _completion(question) if code == 200 else error
    response = {"status_code": code, "request_id": f"req-{question}", "body": body}
    return {"id": "r", "custom_id": line["custom_id"], "response": response, "error": None}


def _expired(line: dict[str, Any]) -> dict[str, Any]:
    error = {"code": "batch_expired", "message": "This request could not be executed in time."}
    return {"id": "r", "custom_id": line["custom_id"], "response": None, "error": error}


async def _serve(provider: BatchProvider) -> web.AppRunner:
    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/v1/files", provider.upload)
    app.router.add_get("/v1/files/{id}/content", provider.content)
    app.router.add_post("/v1/batches", provider.create)
    app.router.add_get("/v1/batches", provider.list)
    app.router.add_get("/v1/batches/{id}", provider.get)
    app.router.add_post("/v1/batches/{id}/cancel", provider.cancel)
    app.router.add_post("/v1/chat/completions", provider.chat)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    provider.url = f"http://{host}:{port}/v1"
    return runner


@contextmanager
def batch_provider() -> Iterator[BatchProvider]:
    """It, running in a thread."""
    provider = BatchProvider()
    with served(lambda: _serve(provider)):
        yield provider
