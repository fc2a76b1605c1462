"""What a failed call is taken for, and how calls keep to the limits they are told."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tests.providers.limited import Limited
from workbench.providers.advertised import requests_left, seconds_in, tokens_left
from workbench.providers.chat import ChatCaller
from workbench.providers.failures import CallFailed, Kind, from_answer, retry_after
from workbench.providers.refs import Endpoint
from workbench.providers.throttle import AT_ONCE, Throttle

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
QUESTION = [{"role": "user", "content": "Hello"}]


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, b'{"error": {"message": "Slow down"}}', Kind.RATE_LIMITED),
        (429, b'{"error": {"message": "No credit", "code": "insufficient_quota"}}', Kind.QUOTA),
        (500, b"oops", Kind.SERVER_ERROR),
        (529, b'{"error": {"type": "overloaded_error", "message": "Busy"}}', Kind.OVERLOADED),
        (401, b'{"error": {"message": "Bad key"}}', Kind.AUTH),
        (400, b'{"error": {"code": "context_length_exceeded"}}', Kind.CONTEXT_LENGTH),
        (400, b'{"error": {"message": "prompt is too long: 9 tokens"}}', Kind.CONTEXT_LENGTH),
        (400, b'{"error": {"code": "content_filter", "message": "x"}}', Kind.CONTENT_FILTER),
        (404, b'{"error": "no such model"}', Kind.REFUSED),
    ],
)  # fmt: skip
def test_an_answer_is_sorted_by_what_helps(status: int, body: bytes, kind: Kind) -> None:
    failure = from_answer("local", status, {}, body)

    assert failure.kind is kind


def test_a_failure_has_the_providers_words_and_what_to_do() -> None:
    failure = from_answer("local", 401, {}, b'{"error": {"message": "This key was revoked."}}')

    assert failure.words == "This key was revoked."
    assert failure.sentence == (
        "local refused the call (status 401): This key was revoked. "
        "Check the connection's key under Settings."
    )
    assert not failure.is_passing


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<!doctype html><html><head>\n<title>Not\n found</title></head>", "Not found"),
        (b"<html><body>Oops", "a web page"),
        (b" upstream timed out ", "upstream timed out"),
        (b"", ""),
    ],
)
def test_of_a_web_page_the_title_is_told(body: bytes, words: str) -> None:
    assert from_answer("local", 404, {}, body).words == words


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "0.5"}, 0.5),
        ({"Retry-After": format_datetime(NOON + timedelta(seconds=90), usegmt=True)}, 90),
        ({"Retry-After": format_datetime(NOON - timedelta(seconds=90), usegmt=True)}, 0),
        ({"Retry-After": "7", "retry-after-ms": "250"}, 0.25),
        ({"Retry-After": "soon"}, None),
        ({}, None),
    ],
)
def test_a_wait_is_read_however_it_is_written(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert retry_after(headers, now=NOON) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("12ms", 0.012), ("6m0s", 360), ("1h2m3.5s", 3723.5), ("3", 3), ("2026-11-21T12:00:09Z", 9),
     ("soon", None), ("", None)],
)  # fmt: skip
def test_a_reset_is_read_however_it_is_written(text: str, seconds: float | None) -> None:
    assert seconds_in(text, now=NOON) == (None if seconds is None else pytest.approx(seconds))


def test_limits_are_read_from_the_headers_of_both_dialects() -> None:
    openai = {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-reset-requests": "1s",
    }
    anthropic = {
        "anthropic-ratelimit-tokens-limit": "8000",
        "anthropic-ratelimit-tokens-remaining": "0",
        "anthropic-ratelimit-tokens-reset": "2026-11-21T12:01:00Z",
    }

    requests, tokens = requests_left(openai, now=NOON), tokens_left(anthropic, now=NOON)

    assert requests is not None
    assert (requests.limit, requests.remaining, requests.reset) == (60, 59, 1)
    assert tokens is not None
    assert (tokens.limit, tokens.remaining, tokens.reset) == (8000, 0, 60)


@pytest.mark.parametrize("kind", ["window", "bucket"])
async def test_no_call_goes_over_a_limit_told_in_headers(kind: str) -> None:
    async with Limited(kind, limit=10, seconds=0.4) as upstream, _caller(upstream.url) as caller:
        await asyncio.gather(*(caller.ask_once(QUESTION) for _ in range(60)))

    assert (upstream.answered, upstream.over) == (60, 0)


async def test_a_429_pauses_every_call_of_the_connection() -> None:
    async with Limited("none", pause_on=3, pause=0.3) as upstream, _caller(upstream.url) as caller:
        await asyncio.gather(*(caller.ask(QUESTION) for _ in range(200)))

    assert upstream.answered == 200
    assert upstream.early < AT_ONCE  # those that were out already


async def test_no_more_calls_are_out_than_the_connection_allows() -> None:
    throttle = Throttle(at_once=3)
    out: list[int] = []
    now = 0

    async def call() -> None:
        nonlocal now
        async with throttle.call() as passed:
            now += 1
            out.append(now)
            await asyncio.sleep(0.001)
            now -= 1
            passed.answered = True

    await asyncio.gather(*(call() for _ in range(30)))

    assert len(out) == 30
    assert max(out) == 3


async def test_a_configured_limit_is_kept_in_any_minute() -> None:
    clock = [0.0]
    throttle = Throttle(requests_per_minute=2, clock=lambda: clock[0])
    gone: list[float] = []

    async def call() -> None:
        async with throttle.call() as passed:
            gone.append(clock[0])
            passed.answered = True

    await call()
    await call()
    third = asyncio.create_task(call())
    await asyncio.sleep(0)
    waited = len(gone)
    third.cancel()
    await asyncio.gather(third, return_exceptions=True)
    clock[0] = 60.1
    await call()

    assert waited == 2
    assert gone == [0, 0, 60.1]


async def test_a_server_that_hangs_is_given_up_after_the_seconds_set() -> None:
    async with Limited("none", hang_on=1) as upstream, _caller(upstream.url, 0.2) as caller:
        with pytest.raises(CallFailed) as caught:
            await caller.ask_once(QUESTION)
        reply = await caller.ask_once(QUESTION)

    assert caught.value.kind is Kind.TIMEOUT
    assert "did not answer in 0.2 s" in caught.value.sentence
    assert reply.message["content"] == "Hi"
    assert reply.raw
    assert reply.request_id == "call-2"


def _caller(url: str, seconds: float = 30.0) -> ChatCaller:
    return ChatCaller(Endpoint(url, "", "any", label="local", private=True), seconds=seconds)
