"""The LiteLLM callback and the LangChain handler, with the released packages."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import Any

import pytest

import stillhouse
from stillhouse import Client
from tests.sdk.conftest import KEY
from tests.sdk.servers import Answer, OpenAIServer, StillhouseServer, chunk

MESSAGES: list[Any] = [{"role": "user", "content": "How big?"}]
PROMPT = {"name": "tone", "variables": {"mood": "kind"}}

LITELLM = """
import asyncio, sys, time
import litellm
from stillhouse import Client
from stillhouse.litellm import Logger
client = Client()
litellm.callbacks = [Logger(client)]
ask = dict(model="openai/small", messages=[{"role": "user", "content": "How big?"}],
           api_base=sys.argv[1] + "/v1", api_key="sk-test", max_retries=0)
def captured(count):
    end = time.monotonic() + 60  # LiteLLM calls back on threads of its own
    while client.stats().captured < count and time.monotonic() < end: time.sleep(0.01)
    assert client.flush(60) and client.stats().captured == count, client.stats()
"""


def litellm(script: str, server: StillhouseServer, openai_server: OpenAIServer) -> list[Any]:
    """What a program of its own logs: LiteLLM leaves sockets and loops open behind it."""
    pytest.importorskip("stillhouse.litellm", exc_type=ImportError)
    env = {
        **os.environ,
        "STILLHOUSE_URL": server.url,
        "STILLHOUSE_API_KEY": KEY,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it fetches prices from the network
    }
    command = [sys.executable, "-W", "ignore", "-c", LITELLM + script, openai_server.url]
    done = subprocess.run(
        command, env=env, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    return server.events


@pytest.mark.slow
def test_a_call_by_litellm_is_logged(server: StillhouseServer, openai_server: OpenAIServer) -> None:
    script = """
metadata = {"tags": ["checkout"], "session_id": "s1", "shop": "Bern"}
litellm.completion(**ask, temperature=0.5, user="u1", metadata=metadata)
captured(1)
"""
    event = litellm(script, server, openai_server)[0]

    assert (event["operation"], event["provider"], event["model"]) == ("chat", "openai", "small")
    assert event["request"]["messages"] == MESSAGES
    assert event["request"]["temperature"] == 0.5
    assert event["response"]["choices"][0]["message"]["content"] == "Größe: 12 — ok"
    assert event["response"]["usage"]["prompt_tokens"] == 9
    assert (event["user"], event["session"]) == ("u1", "s1")
    assert event["tags"] == {"checkout": "true", "shop": "Bern"}
    assert event["duration_ms"] > 0
    assert b"sk-test" not in server.seen[0].raw


@pytest.mark.slow
def test_a_stream_by_litellm_is_logged_once_with_its_whole_answer(
    server: StillhouseServer, openai_server: OpenAIServer
) -> None:
    openai_server.chunks = [chunk({"content": "Hel"}), chunk({"content": "lo"})]
    openai_server.chunks.append(chunk({}, finish="stop"))

    script = """
for _ in litellm.completion(**ask, stream=True): pass
captured(1); time.sleep(0.5); captured(1)
"""
    event = litellm(script, server, openai_server)[0]

    assert event["response"]["choices"][0]["message"]["content"] == "Hello"
    assert event["ttft_ms"] >= 0


@pytest.mark.slow
def test_a_failure_by_litellm_is_logged(
    server: StillhouseServer, openai_server: OpenAIServer
) -> None:
    openai_server.error = Answer(401, {"error": {"message": "no such key", "type": "auth"}})

    script = """
try: litellm.completion(**ask)
except litellm.AuthenticationError: captured(1)
"""
    event = litellm(script, server, openai_server)[0]

    assert (event["status"], event["http_status"]) == ("error", 401)
    assert event["error"]["type"] == "AuthenticationError"


@pytest.mark.slow
def test_an_async_call_by_litellm_is_logged_once(
    server: StillhouseServer, openai_server: OpenAIServer
) -> None:
    script = """
async def main():
    await litellm.acompletion(**ask)
    end = time.monotonic() + 60  # LiteLLM calls back from tasks of this loop
    while client.stats().captured < 1 and time.monotonic() < end: await asyncio.sleep(0.01)
    await asyncio.sleep(0.5)
asyncio.run(main())
captured(1)
"""
    assert litellm(script, server, openai_server)[0]["status"] == "ok"


class TestLangChain:
    def make(self, *answers: Any) -> Any:
        fake = pytest.importorskip("langchain_core.language_models.fake_chat_models")
        return fake.GenericFakeChatModel(messages=iter(answers))

    def handler(self, client: Client) -> Any:
        from stillhouse.langchain import Handler

        return Handler(client)

    def test_a_chain_is_a_trace_with_the_call_inside(
        self, client: Client, server: StillhouseServer
    ) -> None:
        from langchain_core.messages import AIMessage
        from langchain_core.prompts import ChatPromptTemplate

        said = AIMessage(
            "In Bern.",
            usage_metadata={"input_tokens": 7, "output_tokens": 3, "total_tokens": 10},
        )
        prompt = ChatPromptTemplate.from_messages([("system", "Be brief."), ("human", "{q}")])
        chain = prompt | self.make(said)
        metadata = {"session_id": "s1", "user_id": "u1"}

        config = {"callbacks": [self.handler(client)], "metadata": metadata, "tags": ["shop"]}
        chain.invoke({"q": "Where?"}, config=config)

        assert client.flush(60)
        call = next(event for event in server.events if event["type"] == "request")
        root = next(event for event in server.events if "parent_id" not in event["trace"])
        assert call["request"]["messages"] == [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Where?"},
        ]
        message = call["response"]["choices"][0]["message"]
        assert (message["role"], message["content"]) == ("assistant", "In Bern.")
        assert call["response"]["usage"]["prompt_tokens"] == 7
        assert (call["session"], call["user"]) == ("s1", "u1")
        assert (root["type"], root["kind"], root["name"]) == ("span", "chain", "RunnableSequence")
        assert root["input"] == {"q": "Where?"}
        assert root["output"]["content"] == "In Bern."
        assert root["tags"] == {"shop": "true"}
        ids = {event["trace"]["span_id"] for event in server.events}
        assert {event["trace"]["trace_id"] for event in server.events} == {
            root["trace"]["trace_id"]
        }
        assert all(
            event["trace"].get("parent_id", root["trace"]["span_id"]) in ids
            for event in server.events
        )

    def test_tools_retrievers_and_errors_are_spans(
        self, client: Client, server: StillhouseServer
    ) -> None:
        from langchain_core.documents import Document
        from langchain_core.retrievers import BaseRetriever
        from langchain_core.tools import tool

        @tool
        def divide(a: int, b: int) -> float:
            """Divide."""
            return a / b

        class Shelf(BaseRetriever):
            def _get_relevant_documents(self, query: str, **_: Any) -> list[Document]:
                return [Document("tea", metadata={"n": 1})]

        config: Any = {"callbacks": [self.handler(client)]}
        divide.invoke({"a": 6, "b": 2}, config=config)
        with pytest.raises(ZeroDivisionError):
            divide.invoke({"a": 6, "b": 0}, config=config)
        Shelf().invoke("drinks", config=config)

        assert client.flush(60)
        whole, failed, found = server.events
        assert (whole["kind"], whole["name"], whole["output"]) == ("tool", "divide", 3.0)
        assert whole["input"] == {"a": 6, "b": 2}
        assert (failed["status"], failed["error"]["type"]) == ("error", "ZeroDivisionError")
        assert (found["kind"], found["input"]) == ("retriever", "drinks")
        assert found["output"] == [{"text": "tea", "metadata": {"n": 1}}]

    def test_a_stream_has_a_time_to_its_first_token(
        self, client: Client, server: StillhouseServer
    ) -> None:
        model = self.make("one two three")

        text = [
            part.content
            for part in model.stream("Count", config={"callbacks": [self.handler(client)]})
        ]

        assert "".join(map(str, text)) == "one two three"
        assert client.flush(60)
        event = server.events[0]
        assert event["response"]["choices"][0]["message"]["content"] == "one two three"
        assert 0 <= event["ttft_ms"] <= event["duration_ms"]

    def test_runs_inside_a_span_belong_to_it(
        self, client: Client, server: StillhouseServer
    ) -> None:
        with stillhouse.span("request", client=client) as outer:
            self.make("x").invoke("hi", config={"callbacks": [self.handler(client)]})

        assert client.flush(60)
        call = next(event for event in server.events if event["type"] == "request")
        assert call["trace"]["parent_id"] == outer.span_id

    def test_a_call_in_a_block_of_a_prompt_is_logged_with_it(
        self, client: Client, server: StillhouseServer
    ) -> None:
        prompt = client.get_prompt("tone", fallback=[{"role": "user", "content": "Be {{mood}}."}])

        with prompt.use(mood="kind") as messages:
            self.make("x").invoke(messages, config={"callbacks": [self.handler(client)]})

        assert client.flush(60)
        assert server.events[0]["prompt"] == PROMPT
        assert server.events[0]["request"]["messages"] == [{"role": "user", "content": "Be kind."}]

    def test_one_handler_serves_many_threads(
        self, client: Client, server: StillhouseServer
    ) -> None:
        handler = self.handler(client)

        def work(number: int) -> None:
            self.make(f"answer {number}").invoke(f"q {number}", config={"callbacks": [handler]})

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert client.flush(60)
        for event in server.events:
            asked = event["request"]["messages"][0]["content"].split()[1]
            assert event["response"]["choices"][0]["message"]["content"] == f"answer {asked}"
        assert len(server.events) == 8


@pytest.mark.slow
def test_a_compiled_prompt_is_known_through_litellm(
    server: StillhouseServer, openai_server: OpenAIServer
) -> None:
    script = """
text = client.get_prompt("tone", fallback="Be {{mood}}.").compile(mood="kind")
litellm.completion(**{**ask, "messages": [{"role": "system", "content": text}]})
captured(1)
"""
    event = litellm(script, server, openai_server)[0]

    assert event["prompt"] == PROMPT
    assert event["request"]["messages"] == [{"role": "system", "content": "Be kind."}]
