"""Asking any model one question after the other, from our own jobs (not from the gateway)."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp
import msgspec

from workbench.core.egress import (
    open_session,
    read_capped,
    socket_factory,
    unchecked_socket,
    was_blocked,
)
from workbench.core.errors import InvalidInput
from workbench.providers.dialects import anthropic
from workbench.providers.failures import CallFailed, Kind, ModelRefused, from_answer
from workbench.providers.refs import Endpoint
from workbench.providers.throttle import Pass, throttle_of
from workbench.providers.wire import (
    ANTHROPIC_VERSION,
    CHAT_PATH,
    MESSAGES_PATH,
    credential_headers,
    url_of,
)

__all__ = ["CallFailed", "ChatCaller", "ChatReply", "ModelRefused"]

ANSWER_SECONDS = 120.0
MOST_BYTES = 8 << 20
MOST_TOKENS = 2**31 - 1
TRIES = 4
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 30.0
CHARACTERS_A_TOKEN = 4
REQUEST_IDS = ("x-request-id", "request-id", "x-amzn-requestid")


@dataclass(frozen=True)
class ChatReply:
    """An answer: its message, the milliseconds it took, the tokens its server counted.

    `raw` is the whole answer as it came, `request_id` the provider's name for the call. The
    input counts the tokens that were read from the provider's cache, too.
    """

    message: dict[str, Any]
    milliseconds: float
    input_tokens: int | None
    output_tokens: int | None
    finish_reason: str = ""
    request_id: str = ""
    raw: bytes = b""
    cached_tokens: int | None = None


class ChatCaller:
    """One endpoint, connections kept open; use it as an async context manager.

    Every call goes through the throttle of the endpoint's connection. `seconds` is how long one
    answer may take once its call went out.
    """

    def __init__(self, endpoint: Endpoint, *, seconds: float = ANSWER_SECONDS) -> None:
        self.endpoint = endpoint
        self.seconds = seconds
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
        for attempt in range(TRIES):
            try:
                return await self.ask_once(messages, **parameters)
            except CallFailed as problem:
                if not problem.is_passing:
                    raise
                if attempt == TRIES - 1:
                    raise ModelRefused(_gave_up(self.endpoint, problem)) from problem
                await asyncio.sleep(wait_before_retry(problem, attempt))
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def ask_once(self, messages: Sequence[Mapping[str, Any]], **parameters: Any) -> ChatReply:
        """Send a chat completion, once.

        Raises:
            CallFailed: the server refused, did not answer in time, or answered something else.
        """
        return await self.send(self.body_of(messages, **parameters))

    def body_of(self, messages: Sequence[Mapping[str, Any]], **parameters: Any) -> dict[str, Any]:
        """The whole body of a request for these messages."""
        return {"model": self.endpoint.model, "messages": list(messages), **parameters}

    async def send(self, body: Mapping[str, Any]) -> ChatReply:
        """Send a body as `body_of` makes it, once, as soon as the connection's limits allow.

        Raises:
            CallFailed: see `ask_once`.
        """
        content = self._content(body)
        async with throttle_of(self.endpoint).call(_likely_tokens(body, content)) as passed:
            try:
                return await self._sent(content, passed)
            except TimeoutError as problem:
                raise _failed(
                    Kind.TIMEOUT, f"{self.endpoint.label} did not answer in {self.seconds:g} s."
                ) from problem
            except (aiohttp.ClientError, OSError) as problem:
                raise self._unreached(problem) from problem

    async def _sent(self, content: bytes, passed: Pass) -> ChatReply:
        assert self._session is not None, "open the caller with `async with`"  # noqa: S101 - a promise to ourselves
        started = time.perf_counter()
        async with (
            asyncio.timeout(self.seconds),
            self._session.post(
                url_of(self.endpoint, self._path),
                data=content, headers=self._headers(), allow_redirects=False,
            ) as response,
        ):  # fmt: skip
            passed.headers, passed.answered = response.headers, True
            body = await read_capped(response, MOST_BYTES)
        if response.status != 200:
            failure = from_answer(self.endpoint.label, response.status, response.headers, body)
            passed.retry_after = failure.retry_after
            raise failure
        milliseconds = (time.perf_counter() - started) * 1000
        return reply_of(self.endpoint, body, milliseconds, _request_id(response.headers))

    def _unreached(self, problem: Exception) -> CallFailed:
        said = f"{self.endpoint.label} could not be reached: {str(problem) or 'no answer'}."
        if was_blocked(problem):
            return _failed(Kind.REFUSED, said)
        return _failed(Kind.CONNECTION, said)

    def _headers(self) -> dict[str, str]:
        headers = {"content-type": "application/json", "accept-encoding": "identity"}
        headers |= credential_headers(self.endpoint.kind, self.endpoint.api_key, self._path)
        if self.endpoint.is_anthropic:
            headers["anthropic-version"] = ANTHROPIC_VERSION
        return {**headers, **self.endpoint.headers}

    @property
    def _path(self) -> str:
        return MESSAGES_PATH if self.endpoint.is_anthropic else CHAT_PATH

    def _content(self, body: Mapping[str, Any]) -> bytes:
        """The body in the provider's own words."""
        if not self.endpoint.is_anthropic:
            return msgspec.json.encode(body)
        try:
            return msgspec.json.encode(anthropic.to_messages(body))
        except InvalidInput as problem:
            sentence = f"{self.endpoint.label} cannot be asked this. {problem.sentence}"
            raise _failed(Kind.REFUSED, sentence) from problem
        except (KeyError, TypeError, AttributeError) as problem:
            sentence = f"{self.endpoint.label} cannot be asked this: it is no chat completion."
            raise _failed(Kind.REFUSED, sentence) from problem


def wait_before_retry(problem: CallFailed, attempt: int) -> float:
    """Seconds: as many as the provider asked for, or twice as many each time, with some chance
    in it so that calls that failed together do not come back together."""
    if problem.retry_after is not None:
        return min(problem.retry_after, LONGEST_WAIT_SECONDS)
    most: float = min(FIRST_WAIT_SECONDS * 2**attempt, LONGEST_WAIT_SECONDS)
    return most * random.uniform(0.5, 1.0)  # noqa: S311 - nothing secret about a wait


def _likely_tokens(body: Mapping[str, Any], content: bytes) -> float:
    """About what the provider counts against its limit of tokens."""
    answer = body.get("max_completion_tokens") or body.get("max_tokens") or 0
    return len(content) / CHARACTERS_A_TOKEN + (answer if isinstance(answer, int) else 0)


def _request_id(headers: Mapping[str, str]) -> str:
    return next((headers[name][:200] for name in REQUEST_IDS if name in headers), "")


def reply_of(
    endpoint: Endpoint, body: bytes, milliseconds: float, request_id: str = ""
) -> ChatReply:
    """A whole answer, read.

    Raises:
        CallFailed: it is no chat completion.
    """
    try:
        answer = msgspec.json.decode(body)
        if endpoint.is_anthropic:
            answer = anthropic.to_completion(answer)
        choice = answer["choices"][0]
        message, usage = choice["message"], answer.get("usage")
    except (msgspec.DecodeError, KeyError, IndexError, TypeError, AttributeError) as problem:
        raise _no_completion(endpoint, body) from problem
    if not isinstance(message, dict):
        raise _no_completion(endpoint, body)
    finish = str(choice.get("finish_reason") or "")
    if finish == "content_filter" and not message.get("content"):
        raise _failed(Kind.CONTENT_FILTER, f"{endpoint.label} held its answer back.", answered=200)
    counted = usage if isinstance(usage, dict) else {}
    return ChatReply(
        message,
        milliseconds,
        _count(counted.get("prompt_tokens")),
        _count(counted.get("completion_tokens")),
        finish,
        request_id,
        body,
        _cached(counted.get("prompt_tokens_details")),
    )


def _no_completion(endpoint: Endpoint, body: bytes) -> CallFailed:
    words = body[:200].decode(errors="replace")
    sentence = f"{endpoint.label} answered with no chat completion."
    return _failed(Kind.MALFORMED, sentence, answered=200, words=words)


def _failed(
    kind: Kind, sentence: str, *, answered: int | None = None, words: str = ""
) -> CallFailed:
    return CallFailed(sentence, kind=kind, answered=answered, words=words)


def _count(value: object) -> int | None:
    """A token count, when it is one."""
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= MOST_TOKENS else None


def _cached(details: object) -> int | None:
    return _count(details.get("cached_tokens")) if isinstance(details, dict) else None


def _gave_up(endpoint: Endpoint, problem: CallFailed) -> str:
    return f"{endpoint.label} did not answer after {TRIES} tries: {problem.sentence}"
