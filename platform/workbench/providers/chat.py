"""Asking any model one question after the other, from our own jobs (not from the gateway)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp
import msgspec

from workbench.core.egress import open_session, read_capped, socket_factory, unchecked_socket
from workbench.core.errors import DomainError
from workbench.providers.refs import Endpoint

ANSWER_SECONDS = 120.0
MOST_BYTES = 8 << 20
MOST_TOKENS = 2**31 - 1
TRIES = 4
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 30.0
WORTH_RETRYING = frozenset({408, 409, 429, 500, 502, 503, 504})


class ModelRefused(DomainError):
    """The model's server answered with an error; the sentence carries its own words."""

    code = "model_refused"
    status = 502


@dataclass(frozen=True)
class ChatReply:
    """An answer: its message, the milliseconds it took, the tokens its server counted."""

    message: dict[str, Any]
    milliseconds: float
    input_tokens: int | None
    output_tokens: int | None


class ChatCaller:
    """One endpoint, connections kept open; use it as an async context manager."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        private = self.endpoint.private
        trusted = self.endpoint.is_engine
        self._session = open_session(
            unchecked_socket if trusted else socket_factory(private=private)
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def ask(self, messages: Sequence[Mapping[str, Any]], **parameters: Any) -> ChatReply:
        """Send a chat completion; passing failures are tried again a few times.

        Raises:
            ModelRefused: the server refused, or did not answer in time.
        """
        body = {"model": self.endpoint.model, "messages": list(messages), **parameters}
        content = msgspec.json.encode(body)
        for attempt in range(TRIES):
            try:
                return await self._ask_once(content)
            except (_Passing, aiohttp.ClientError, TimeoutError) as problem:
                if attempt == TRIES - 1:
                    raise ModelRefused(_gave_up(self.endpoint, problem)) from problem
                await asyncio.sleep(_wait(problem, attempt))
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _ask_once(self, content: bytes) -> ChatReply:
        assert self._session is not None, "open the caller with `async with`"  # noqa: S101 - a promise to ourselves
        started = time.perf_counter()
        async with (
            asyncio.timeout(ANSWER_SECONDS),
            self._session.post(
                f"{self.endpoint.base_url}/chat/completions",
                data=content, headers=self._headers(), allow_redirects=False,
            ) as response,
        ):  # fmt: skip
            body = await read_capped(response, MOST_BYTES)
        if response.status in WORTH_RETRYING:
            raise _Passing(response.status, response.headers.get("Retry-After", ""), body)
        if response.status != 200:
            raise ModelRefused(_refused(self.endpoint, response.status, body))
        return _reply(self.endpoint, body, (time.perf_counter() - started) * 1000)

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        if self.endpoint.api_key:
            headers["Authorization"] = f"Bearer {self.endpoint.api_key}"
        return {**headers, **self.endpoint.headers}


class _Passing(Exception):
    """A failure that may be over in a moment."""

    def __init__(self, status: int, retry_after: str, body: bytes) -> None:
        super().__init__(f"status {status}: {_words(body)}")
        self.retry_after = float(retry_after) if retry_after.isdecimal() else None


def _wait(problem: Exception, attempt: int) -> float:
    told: float | None = getattr(problem, "retry_after", None)
    return min(told if told is not None else FIRST_WAIT_SECONDS * 2**attempt, LONGEST_WAIT_SECONDS)


def _reply(endpoint: Endpoint, body: bytes, milliseconds: float) -> ChatReply:
    try:
        answer = msgspec.json.decode(body)
        message = answer["choices"][0]["message"]
        usage = answer.get("usage")
    except (msgspec.DecodeError, KeyError, IndexError, TypeError, AttributeError) as problem:
        raise ModelRefused(f"{endpoint.label} answered with no chat completion.") from problem
    if not isinstance(message, dict):
        raise ModelRefused(f"{endpoint.label} answered with no chat completion.")
    counted = usage if isinstance(usage, dict) else {}
    tokens = [_count(counted.get(key)) for key in ("prompt_tokens", "completion_tokens")]
    return ChatReply(message, milliseconds, *tokens)


def _count(value: object) -> int | None:
    """A token count, when it is one."""
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= MOST_TOKENS else None


def _refused(endpoint: Endpoint, status: int, body: bytes) -> str:
    return f"{endpoint.label} refused the call (status {status}): {_words(body)}"


def _gave_up(endpoint: Endpoint, problem: BaseException) -> str:
    said = str(problem) or type(problem).__name__
    return f"{endpoint.label} did not answer after {TRIES} tries: {said}"


def _words(body: bytes) -> str:
    try:
        return str(msgspec.json.decode(body)["error"]["message"])[:300]
    except (msgspec.DecodeError, KeyError, TypeError):
        return body[:200].decode(errors="replace")
