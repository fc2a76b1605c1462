"""OpenAI's Batch API: a file of requests goes up, answers come down within a day, at half price.

Here is only how it is spoken to; who keeps account of what was sent is the caller.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp
import msgspec

from workbench.core.egress import open_session, read_capped, socket_factory
from workbench.providers.failures import CallFailed, Kind, from_answer
from workbench.providers.refs import Endpoint
from workbench.providers.wire import CHAT_PATH, credential_headers, url_of

ANSWER_SECONDS = 120.0
FILE_SECONDS = 1800.0
MOST_BYTES = 8 << 20
MOST_LINE_BYTES = 16 << 20
PAGE, MOST_PAGES = 100, 20
OVER = frozenset({"completed", "failed", "expired", "cancelled"})
OURS = "stillhouse_batch"
CHAT_URL = f"/v1{CHAT_PATH}"


@dataclass(frozen=True)
class RemoteBatch:
    """A batch as its provider tells it. `problems` are its words where it refused the file."""

    id: str
    status: str
    output_file: str = ""
    error_file: str = ""
    total: int = 0
    completed: int = 0
    failed: int = 0
    problems: tuple[str, ...] = ()
    ours: str = ""

    @property
    def is_over(self) -> bool:
        return self.status in OVER


class BatchApi:
    """One endpoint's Batch API; use it as an async context manager.

    Every method raises CallFailed where the provider refuses or cannot be reached.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = open_session(socket_factory(private=self.endpoint.private))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def upload(self, lines: Iterable[bytes], *, name: str) -> str:
        """Send a file of requests; returns its id."""
        form = aiohttp.FormData()
        form.add_field("purpose", "batch")
        content = b"".join(line + b"\n" for line in lines)
        form.add_field("file", content, filename=name, content_type="application/jsonl")
        told = await self._asked("POST", "/files", data=form, seconds=FILE_SECONDS)
        return str(told["id"])

    async def create(self, file: str, *, ours: str) -> RemoteBatch:
        """Have the file's requests done. `ours` is our name for the batch, by which `find` finds
        it."""
        body = {
            "input_file_id": file, "endpoint": CHAT_URL, "completion_window": "24h",
            "metadata": {OURS: ours},
        }  # fmt: skip
        return _batch(await self._asked("POST", "/batches", json=body))

    async def get(self, batch: str) -> RemoteBatch:
        """How a batch is getting on."""
        return _batch(await self._asked("GET", f"/batches/{batch}"))

    async def cancel(self, batch: str) -> RemoteBatch:
        """Ask for its end; what was answered by then can be fetched."""
        return _batch(await self._asked("POST", f"/batches/{batch}/cancel"))

    async def find(self, ours: str) -> RemoteBatch | None:
        """The batch of this name of ours among the newest ones; None if there is none."""
        after: dict[str, str] = {}
        for _ in range(MOST_PAGES):
            told = await self._asked("GET", "/batches", params={"limit": str(PAGE), **after})
            page = [_batch(one) for one in told.get("data", [])]
            found = next((one for one in page if one.ours == ours), None)
            if found is not None or not page or not told.get("has_more"):
                return found
            after = {"after": page[-1].id}
        return None

    async def lines(self, file: str) -> AsyncIterator[dict[str, Any]]:
        """The lines of a file of answers or errors, read as they come."""
        async with self._sent("GET", f"/files/{file}/content", seconds=FILE_SECONDS) as response:
            left = b""
            async for piece in response.content.iter_any():
                *whole, left = (left + piece).split(b"\n")
                if len(left) > MOST_LINE_BYTES:
                    raise self._odd("a line of its file is too long")
                for line in whole:
                    if line.strip():
                        yield self._read(line)
            if left.strip():
                yield self._read(left)

    async def _asked(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        async with self._sent(method, path, **more) as response:
            return self._read(await read_capped(response, MOST_BYTES))

    @asynccontextmanager
    async def _sent(
        self, method: str, path: str, *, seconds: float = ANSWER_SECONDS, **more: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A response that is fine."""
        assert self._session is not None, "open it with `async with`"  # noqa: S101 - our promise
        endpoint = self.endpoint
        credential = credential_headers(endpoint.kind, endpoint.api_key, path)
        try:
            async with self._session.request(
                method, url_of(endpoint, path), headers={**credential, **endpoint.headers},
                allow_redirects=False, timeout=aiohttp.ClientTimeout(total=seconds), **more,
            ) as response:  # fmt: skip
                if response.status != 200:
                    body = await read_capped(response, MOST_BYTES)
                    raise from_answer(endpoint.label, response.status, response.headers, body)
                yield response
        except (aiohttp.ClientError, OSError) as problem:
            said = str(problem) or "no answer in time"
            sentence = f"{endpoint.label} could not be reached: {said}."
            raise CallFailed(sentence, kind=Kind.CONNECTION) from problem

    def _read(self, raw: bytes) -> dict[str, Any]:
        try:
            told = msgspec.json.decode(raw)
        except msgspec.DecodeError as problem:
            raise self._odd("it is no JSON") from problem
        if not isinstance(told, dict):
            raise self._odd("it is no object")
        return told

    def _odd(self, why: str) -> CallFailed:
        sentence = f"{self.endpoint.label} answered with something else than its Batch API: {why}."
        return CallFailed(sentence, kind=Kind.MALFORMED, answered=200)


def _batch(told: Mapping[str, Any]) -> RemoteBatch:
    counts, errors = told.get("request_counts") or {}, told.get("errors") or {}
    problems = tuple(_words(one) for one in errors.get("data") or [])
    return RemoteBatch(
        id=str(told.get("id", "")),
        status=str(told.get("status", "")),
        output_file=str(told.get("output_file_id") or ""),
        error_file=str(told.get("error_file_id") or ""),
        total=int(counts.get("total") or 0),
        completed=int(counts.get("completed") or 0),
        failed=int(counts.get("failed") or 0),
        problems=problems,
        ours=str((told.get("metadata") or {}).get(OURS, "")),
    )


def _words(error: Mapping[str, Any]) -> str:
    line = error.get("line")
    at = f"line {line}: " if line is not None else ""
    return f"{at}{error.get('message') or error.get('code') or 'no reason'}"[:500]
