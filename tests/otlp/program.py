"""A program as our users have it: the OpenAI client, instrumented, exporting by OTLP/HTTP.

Run as `python -m tests.otlp.program KIND CALL…`; where to send and which model server to call come
from the environment, as they do for any exporter.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any

from openai import BadRequestError, OpenAI
from opentelemetry import context, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

MESSAGES: list[Any] = [
    {"role": "system", "content": "Answer in one word."},
    {"role": "user", "content": "What is the weather in Graz? ☂"},
]
TOOLS: list[Any] = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "The weather of a city.",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
]


def main(kind: str, *calls: str) -> None:
    """Make calls, each inside a span of the program's own, and send what was recorded."""
    provider = TracerProvider(
        resource=Resource(
            {
                "service.name": "checkout",
                "service.version": "1.4.2",
                "deployment.environment.name": "production",
            }
        )
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    INSTRUMENTATIONS[kind]()
    client = OpenAI(base_url=os.environ["MODEL_URL"], api_key="none", max_retries=0)
    tracer = trace.get_tracer("checkout")
    for call in calls:
        with tracer.start_as_current_span(call), _about(kind):
            CALLS[call](client)
    provider.shutdown()


def _openai_v2() -> None:
    from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor

    OpenAIInstrumentor().instrument()  # type: ignore[no-untyped-call]


def _openinference() -> None:
    from openinference.instrumentation.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument()


def _traceloop() -> None:
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument()


def _both() -> None:
    _openinference()
    _traceloop()


INSTRUMENTATIONS = {
    "openai_v2": _openai_v2,
    "openinference": _openinference,
    "traceloop": _traceloop,
    "both": _both,
}


def _about(kind: str) -> Any:
    """Who and which conversation, the way each convention says it."""
    if kind in {"openinference", "both"}:
        from openinference.instrumentation import using_attributes

        return using_attributes(
            session_id="s-7", user_id="u-1", tags=["beta"], metadata={"route": "checkout"}
        )
    return _Associated({"session_id": "s-7", "user_id": "u-1", "route": "checkout"})


class _Associated:
    """Association properties on every span made meanwhile, as Traceloop's SDK sets them."""

    def __init__(self, properties: dict[str, str]) -> None:
        self._properties = properties

    def __enter__(self) -> None:
        self._token = context.attach(context.set_value("association_properties", self._properties))
        trace.get_current_span().set_attributes({"session.id": "s-7", "user.id": "u-1"})

    def __exit__(self, *_: object) -> None:
        context.detach(self._token)


def _chat(client: OpenAI) -> None:
    client.chat.completions.create(
        model="gpt-test", messages=MESSAGES, tools=TOOLS, temperature=0.2, max_tokens=50, seed=7
    )


def _stream(client: OpenAI) -> None:
    chunks = client.chat.completions.create(
        model="gpt-test",
        messages=MESSAGES,
        stream=True,
        stream_options={"include_usage": True},
    )
    for _ in chunks:
        pass


def _tools_back(client: OpenAI) -> None:
    """The second half of a tool's round: the model is told what the tool answered."""
    call = {
        "id": "call_0",
        "type": "function",
        "function": {"name": "weather", "arguments": '{"city": "Graz"}'},
    }
    round_ = [
        *MESSAGES,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_0", "content": '{"sky": "rain"}'},
    ]
    client.chat.completions.create(model="gpt-test", messages=round_, tools=TOOLS)


def _error(client: OpenAI) -> None:
    with suppress(BadRequestError):
        client.chat.completions.create(model="gpt-broken", messages=MESSAGES)


def _embed(client: OpenAI) -> None:
    client.embeddings.create(model="embed-test", input="refund")


def _responses(client: OpenAI) -> None:
    client.responses.create(
        model="gpt-test", instructions="Answer in one word.", input="What is the weather?"
    )


CALLS = {
    "chat": _chat,
    "stream": _stream,
    "tools": _tools_back,
    "error": _error,
    "embed": _embed,
    "responses": _responses,
}

if __name__ == "__main__":
    main(*sys.argv[1:])
