"""Spans, what surrounds calls, scores, and sampling of whole traces."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import AsyncIterator, Generator, Iterator
from typing import Any

import openai
import pytest

import stillhouse
from stillhouse import Client, observe, span
from tests.clients import opened
from tests.sdk.conftest import ClientMaker
from tests.sdk.servers import OpenAIServer, StillhouseServer

HELLO = {"model": "small", "messages": []}


def by_name(client: Client, server: StillhouseServer) -> dict[str, dict[str, Any]]:
    assert client.flush(60)
    return {str(event.get("name", event.get("model"))): event for event in server.events}


def parent_of(event: dict[str, Any]) -> object:
    return event["trace"].get("parent_id")


def test_an_observed_function_is_a_span(server: StillhouseServer, client: Client) -> None:
    @observe(kind="tool", name="add", tags={"app": "shop"}, client=client)
    def add(a: int, b: int = 2, *rest: int, **more: int) -> int:
        return a + b

    assert add(1, c=3) == 3

    event = by_name(client, server)["add"]
    assert event["type"] == "span"
    assert (event["kind"], event["status"]) == ("tool", "ok")
    assert event["input"] == {"a": 1, "more": {"c": 3}}
    assert event["output"] == 3
    assert event["tags"] == {"app": "shop"}
    assert event["duration_ms"] >= 0
    assert len(event["trace"]["trace_id"]) == 32
    assert len(event["trace"]["span_id"]) == 16
    assert parent_of(event) is None


def test_spans_nest_and_calls_are_their_children(
    server: StillhouseServer, client: Client, openai_server: OpenAIServer
) -> None:
    plain = opened(openai.OpenAI(api_key="sk", base_url=openai_server.url + "/v1", max_retries=0))
    ai: Any = stillhouse.wrap(plain, client=client)

    @observe(client=client, name="inner")
    def inner() -> None:
        ai.chat.completions.create(model="wrapped", messages=[])
        client.log(request=HELLO, model="logged")

    with span("outer", kind="agent", client=client):
        inner()

    events = by_name(client, server)
    assert {event["trace"]["trace_id"] for event in events.values()} == {
        events["outer"]["trace"]["trace_id"]
    }
    assert parent_of(events["inner"]) == events["outer"]["trace"]["span_id"]
    assert parent_of(events["wrapped"]) == events["inner"]["trace"]["span_id"]
    assert parent_of(events["logged"]) == events["inner"]["trace"]["span_id"]


def test_an_exception_goes_on_unchanged_and_is_logged(
    server: StillhouseServer, client: Client
) -> None:
    problem = KeyError("lost")

    @observe(client=client, name="failing")
    def failing() -> None:
        raise problem

    with pytest.raises(KeyError) as caught:
        failing()

    assert caught.value is problem
    event = by_name(client, server)["failing"]
    assert event["status"] == "error"
    assert event["error"] == {"type": "KeyError", "message": "'lost'"}
    assert stillhouse.current_trace_id() is None


def test_arguments_are_kept_as_they_were_at_the_call(
    server: StillhouseServer, client: Client
) -> None:
    @observe(client=client, name="greedy")
    def greedy(items: list[int]) -> list[int]:
        items.clear()
        return items

    greedy([1, 2])

    event = by_name(client, server)["greedy"]
    assert event["input"] == {"items": [1, 2]}
    assert event["output"] == []


def test_a_call_with_wrong_arguments_fails_as_without_observe(client: Client) -> None:
    @observe(client=client)
    def one(a: int) -> int:
        return a

    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        one()  # type: ignore[call-arg]


def test_methods_keep_self_out_and_capturing_can_be_turned_off(
    server: StillhouseServer, client: Client
) -> None:
    class Shop:
        @observe(client=client, name="price")
        def price(self, item: str) -> int:
            return 3

        @observe(client=client, name="secret", capture_input=False, capture_output=False)
        def secret(self, pin: str) -> str:
            return pin

    Shop().price("tea")
    Shop().secret("1234")

    events = by_name(client, server)
    assert events["price"]["input"] == {"item": "tea"}
    assert "1234" not in str(events["secret"])


async def test_tasks_share_their_trace_and_not_each_other_s_spans(
    server: StillhouseServer, client: Client
) -> None:
    @observe(client=client)
    async def leaf(number: int) -> int:
        with span(f"inside-{number}", client=client):
            await asyncio.sleep(0.01)
        return number

    @observe(client=client, name="root")
    async def root() -> list[int]:
        return list(await asyncio.gather(*(leaf(number) for number in range(5))))

    assert await root() == [0, 1, 2, 3, 4]

    assert client.flush(60)
    top = next(event for event in server.events if event["name"] == "root")
    leaves = {e["input"]["number"]: e for e in server.events if e["name"].endswith("leaf")}
    assert len(leaves) == 5
    for number, event in leaves.items():
        assert parent_of(event) == top["trace"]["span_id"]
        inside = next(e for e in server.events if e["name"] == f"inside-{number}")
        assert parent_of(inside) == event["trace"]["span_id"]


async def test_a_cancelled_coroutine_is_an_error(server: StillhouseServer, client: Client) -> None:
    @observe(client=client, name="slow")
    async def slow() -> None:
        await asyncio.sleep(10)

    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(slow(), 0.05)

    assert by_name(client, server)["slow"]["error"]["type"] == "CancelledError"


def test_a_thread_pool_takes_the_span_along(server: StillhouseServer, client: Client) -> None:
    @observe(client=client, name="work")
    def work(number: int) -> int:
        return number

    with span("root", client=client), stillhouse.ThreadPoolExecutor(2) as pool:
        assert list(pool.map(work, [1])) == [1]
    events = by_name(client, server)
    assert parent_of(events["work"]) == events["root"]["trace"]["span_id"]


def test_carry_takes_the_span_to_any_thread_and_without_it_there_is_none(
    server: StillhouseServer, client: Client
) -> None:
    with span("root", client=client), concurrent.futures.ThreadPoolExecutor(4) as pool:
        here = stillhouse.current_trace_id()
        carried = stillhouse.carry(stillhouse.current_trace_id)
        assert {future.result() for future in [pool.submit(carried) for _ in range(8)]} == {here}
        assert pool.submit(stillhouse.current_trace_id).result() is None
    assert client.flush(60)


def test_a_generator_is_one_span_around_all_it_yields(
    server: StillhouseServer, client: Client
) -> None:
    @observe(client=client, name="words")
    def words(count: int) -> Iterator[str]:
        for number in range(count):
            with span(f"step-{number}", client=client):
                yield f"w{number} "

    seen = []
    for word in words(2):
        assert stillhouse.current_trace_id() is None, "the consumer is not inside"
        seen.append(word)

    assert seen == ["w0 ", "w1 "]
    events = by_name(client, server)
    assert events["words"]["output"] == "w0 w1 "
    assert parent_of(events["step-1"]) == events["words"]["trace"]["span_id"]


def test_a_generator_keeps_send_throw_return_and_close(client: Client) -> None:
    closed = []

    @observe(client=client)
    def talk() -> Any:
        try:
            got = yield 1
            try:
                yield got
            except ValueError as error:
                yield str(error)
            return "end"
        finally:
            closed.append(True)

    first = talk()
    assert [next(first), first.send("x"), first.throw(ValueError("odd"))] == [1, "x", "odd"]
    with pytest.raises(StopIteration) as stop:
        next(first)
    assert stop.value.value == "end"
    second = talk()
    next(second)
    second.close()
    assert closed == [True, True]


def test_a_generator_left_early_is_no_error(server: StillhouseServer, client: Client) -> None:
    @observe(client=client, name="endless")
    def endless() -> Generator[int, None, None]:
        number = 0
        while True:
            yield number
            number += 1

    numbers = endless()
    next(numbers)
    numbers.close()

    assert by_name(client, server)["endless"]["status"] == "ok"


async def test_an_async_generator_is_one_span(server: StillhouseServer, client: Client) -> None:
    @observe(client=client, name="stream")
    async def stream() -> AsyncIterator[int]:
        for number in range(3):
            with span(f"step-{number}", client=client):
                await asyncio.sleep(0)
            yield number

    assert [number async for number in stream()] == [0, 1, 2]

    events = by_name(client, server)
    assert events["stream"]["output"] == [0, 1, 2]
    assert parent_of(events["step-2"]) == events["stream"]["trace"]["span_id"]


async def test_an_async_generator_that_fails_is_an_error(
    server: StillhouseServer, client: Client
) -> None:
    @observe(client=client, name="broken")
    async def broken() -> AsyncIterator[int]:
        yield 1
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        [number async for number in broken()]

    assert by_name(client, server)["broken"]["error"]["message"] == "half way"


def test_a_context_adds_to_all_inside(server: StillhouseServer, client: Client) -> None:
    prompt: stillhouse.PromptRef = {"name": "triage", "version": 3, "variables": {"x": 1}}

    with stillhouse.context(tags={"app": "shop", "route": "any"}, user="u1", prompt=prompt):
        with stillhouse.context(tags={"route": "checkout"}, session="s1"):
            client.log(request=HELLO, model="call", tags={"own": "1"}, user="u2")
            with span("step", client=client):
                pass
        client.log(request=HELLO, model="later")
    client.log(request=HELLO, model="outside")

    events = by_name(client, server)
    assert events["call"]["tags"] == {"app": "shop", "route": "checkout", "own": "1"}
    assert (events["call"]["user"], events["call"]["session"]) == ("u2", "s1")
    assert events["call"]["prompt"] == prompt
    assert (events["step"]["user"], events["step"]["session"]) == ("u1", "s1")
    assert events["later"]["tags"] == {"app": "shop", "route": "any"}
    assert "tags" not in events["outside"]


def test_a_span_can_be_added_to(server: StillhouseServer, client: Client) -> None:
    with span("search", kind="retriever", input={"q": "tea"}, client=client) as step:
        step.set(output=["a", "b"], attributes={"hits": 2})
        step.set(attributes={"index": "main"}, tags={"a": "b"})

    event = by_name(client, server)["search"]
    assert event["input"] == {"q": "tea"}
    assert event["output"] == ["a", "b"]
    assert event["attributes"] == {"hits": 2, "index": "main"}
    assert event["tags"] == {"a": "b"}


def test_an_unknown_kind_is_refused_where_it_is_written(client: Client) -> None:
    with pytest.raises(ValueError, match="one of span, agent, tool"):
        observe(kind="robot", client=client)(print)


# Scores


def test_feedback_and_scores_arrive(server: StillhouseServer, client: Client) -> None:
    request_id = client.log(request=HELLO)

    mine = client.feedback("thumbs", True, request_id=request_id, comment="nice", author="u1")
    client.score("quality", 0.75, trace_id="t" * 32, origin="judge")

    assert client.flush(60)
    thumbs, quality = server.events[1:]
    assert thumbs["id"] == mine
    assert thumbs["at"].endswith("Z")
    told = {name: thumbs[name] for name in ("name", "value", "origin", "comment", "author")}
    assert told == {
        "name": "thumbs",
        "value": True,
        "origin": "end_user",
        "comment": "nice",
        "author": "u1",
    }
    assert thumbs["request_id"] == request_id
    assert (quality["trace_id"], quality["value"], quality["origin"]) == ("t" * 32, 0.75, "judge")


def test_a_score_without_a_target_is_of_the_trace_or_the_last_call(
    server: StillhouseServer, client: Client, openai_server: OpenAIServer
) -> None:
    plain = opened(openai.OpenAI(api_key="sk", base_url=openai_server.url + "/v1", max_retries=0))
    ai: Any = stillhouse.wrap(plain, client=client)
    ai.chat.completions.create(model="m", messages=[])
    client.score("a", 1)
    with span("root", client=client) as root:
        client.score("b", 2)

    events = by_name(client, server)
    assert events["a"]["request_id"] == events["m"]["id"]
    assert events["b"]["trace_id"] == root.trace_id


def test_a_score_of_nothing_is_counted_and_does_not_raise(client: Client) -> None:
    lost: list[str | None] = []
    thread = threading.Thread(target=lambda: lost.append(client.score("a", 1)))
    thread.start()
    thread.join()

    assert lost == [None]
    assert client.stats().dropped == {"not_captured": 1}


# Sampling


def test_a_trace_is_kept_or_dropped_whole(
    server: StillhouseServer, make_client: ClientMaker, openai_server: OpenAIServer
) -> None:
    client = make_client(sample_rate=0.4)
    plain = opened(openai.OpenAI(api_key="sk", base_url=openai_server.url + "/v1", max_retries=0))
    ai: Any = stillhouse.wrap(plain, client=client)

    for _ in range(60):
        with span("root", client=client), span("leaf", client=client):
            ai.chat.completions.create(model="m", messages=[])
            client.log(request=HELLO)
            client.score("s", 1)

    assert client.flush(60)
    sizes: dict[str, int] = {}
    for event in server.events:
        trace_id = event.get("trace_id") or event["trace"]["trace_id"]
        sizes[trace_id] = sizes.get(trace_id, 0) + 1
    assert set(sizes.values()) == {5}
    assert 5 < len(sizes) < 45
    assert client.stats().sampled_out == 5 * (60 - len(sizes))


def test_two_clients_decide_alike_by_the_trace_s_id(
    server: StillhouseServer, make_client: ClientMaker
) -> None:
    first, second = make_client(sample_rate=0.5), make_client(sample_rate=0.5)

    kept = [
        [
            client.log(request=HELLO, trace={"trace_id": f"trace-{number}"}) is not None
            for number in range(200)
        ]
        for client in (first, second)
    ]

    assert kept[0] == kept[1]
    assert 60 < sum(kept[0]) < 140
