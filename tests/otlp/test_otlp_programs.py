"""Released instrumentations of the OpenAI client, exporting with the released OTLP exporter."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from requests_log import bodies
from requests_log.models import LoggedRequest, RequestBody
from tests.otlp.conftest import Exporter
from tests.otlp.model_server import TOOL_CALL, model_server
from tests.otlp.program import MESSAGES, TOOLS

ROOT = Path(__file__).resolve().parents[2]
PATHS = (ROOT, ROOT / "platform")
SETTINGS = {
    "openai_v2": {
        "OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental",
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "span_only",
    },
    "openinference": {},
    "traceloop": {},
    "both": {},
}
ALL = ("chat", "stream", "tools", "error", "embed", "responses")
PROVIDER_MODEL = "gpt-test-2026"


@pytest.fixture(scope="module")
def model_url() -> Iterator[str]:
    with model_server() as url:
        yield url


def run(exporter: Exporter, model_url: str, kind: str, *calls: str) -> dict[str, LoggedRequest]:
    """Run the program; returns its requests by the name of the call."""
    _require(kind)
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(map(str, PATHS)),
        "MODEL_URL": model_url,
        "OTEL_EXPORTER_OTLP_ENDPOINT": exporter.url,
        "OTEL_EXPORTER_OTLP_HEADERS": f"Authorization=Bearer%20{exporter.key}",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
    }
    program = [sys.executable, "-m", "tests.otlp.program", kind, *calls]
    done = subprocess.run(
        program, env=environment | SETTINGS[kind], capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    assert "Failed to export" not in done.stderr
    names = {span.trace_id: span.name for span in exporter.spans() if span.parent_id is None}
    assert sorted(names.values()) == sorted(calls)
    found = exporter.requests()
    by_name = {names[request.trace_id or ""]: request for request in found}
    assert len(by_name) == len(found), "a call was stored twice"
    return by_name


def _require(kind: str) -> None:
    if kind == "openai_v2" and not importlib.util.find_spec("opentelemetry.util.genai.instruments"):
        pytest.skip("opentelemetry-instrumentation-openai-v2 needs opentelemetry-util-genai<1.2")


def response_of(request: LoggedRequest) -> Any:
    found = bodies.read(RequestBody.objects.get(id=request.id, project=request.project_id))
    return json.loads(found.response or b"null")


def check_chat(request: LoggedRequest, *, has_tools: bool = True) -> None:
    """A call that offered a tool, which the model called."""
    assert (request.operation, request.provider, request.status) == ("chat", "openai", "ok")
    assert (request.model, request.model_used) == ("gpt-test", PROVIDER_MODEL)
    assert request.messages == MESSAGES
    assert request.tools == (TOOLS if has_tools else None)
    assert request.parameters is not None
    wanted = {"model": "gpt-test", "temperature": 0.2, "max_tokens": 50}
    assert wanted.items() <= request.parameters.items()
    assert request.output is not None
    (call,) = request.output["tool_calls"]
    assert (call["id"], call["function"]["name"]) == ("call_1", "weather")
    arguments = json.loads(TOOL_CALL["function"]["arguments"])  # type: ignore[index]
    assert json.loads(call["function"]["arguments"]) == arguments
    assert request.finish_reason == "tool_calls"
    assert (request.input_tokens, request.output_tokens) == (31, 12)
    check_surroundings(request)


def check_surroundings(request: LoggedRequest) -> None:
    """Who, where and how long."""
    assert (request.end_user, request.session) == ("u-1", "s-7")
    assert (request.environment, request.release) == ("production", "1.4.2")
    assert request.source == "otlp"
    assert request.tags["service"] == "checkout"
    assert request.duration_ms is not None
    assert 0 < request.duration_ms < 60_000
    assert request.parent_id is not None


def check_stream(request: LoggedRequest) -> None:
    assert request.messages == MESSAGES
    assert request.output_preview == "Rain ☂"
    assert request.finish_reason == "stop"
    assert (request.input_tokens, request.output_tokens) == (31, 12)
    check_surroundings(request)


def check_tools_back(request: LoggedRequest) -> None:
    assert request.messages is not None
    asked, told = request.messages[2:]
    assert asked["role"] == "assistant"
    assert asked["tool_calls"][0]["id"] == told["tool_call_id"] == "call_0"
    assert (told["role"], json.loads(told["content"])) == ("tool", {"sky": "rain"})
    assert request.output_preview == "Rain."


def check_error(request: LoggedRequest) -> None:
    assert (request.status, request.model) == ("error", "gpt-broken")
    assert (request.error_type or "").endswith("BadRequestError")
    assert "takes no such messages" in (request.error_message or "")
    assert request.messages == MESSAGES
    assert request.output is None


@pytest.mark.slow
def test_calls_of_opentelemetrys_own_instrumentation(exporter: Exporter, model_url: str) -> None:
    # It records no tools, no cached tokens, and nothing of the Responses API.
    calls = run(exporter, model_url, "openai_v2", "chat", "stream", "tools", "error", "embed")

    check_chat(calls["chat"], has_tools=False)
    check_stream(calls["stream"])
    check_tools_back(calls["tools"])
    check_error(calls["error"])
    assert (calls["embed"].operation, calls["embed"].input_tokens) == ("embedding", 2)


@pytest.mark.slow
def test_calls_of_openinferences_instrumentation(exporter: Exporter, model_url: str) -> None:
    calls = run(exporter, model_url, "openinference", *ALL)

    check_chat(calls["chat"])
    assert (calls["chat"].cached_tokens, calls["chat"].reasoning_tokens) == (16, 5)
    tags = {"service": "checkout", "route": "checkout", "beta": "true"}
    assert calls["chat"].tags == tags
    check_stream(calls["stream"])
    assert calls["stream"].ttft_ms is not None
    assert calls["stream"].ttft_ms <= (calls["stream"].duration_ms or 0)
    check_tools_back(calls["tools"])
    check_error(calls["error"])
    assert (calls["embed"].operation, calls["embed"].input_preview) == ("embedding", "refund")
    assert response_of(calls["embed"])["data"][0]["embedding"] == [0.25, -0.5]
    assert calls["responses"].operation == "responses"
    assert calls["responses"].output_preview == "Rain."
    assert (calls["responses"].input_tokens, calls["responses"].output_tokens) == (9, 3)


@pytest.mark.slow
def test_calls_of_traceloops_instrumentation(exporter: Exporter, model_url: str) -> None:
    calls = run(exporter, model_url, "traceloop", *ALL)

    check_chat(calls["chat"])
    assert (calls["chat"].cached_tokens, calls["chat"].reasoning_tokens) == (16, 5)
    check_stream(calls["stream"])
    assert calls["stream"].ttft_ms is not None
    check_tools_back(calls["tools"])
    check_error(calls["error"])
    assert (calls["embed"].operation, calls["embed"].input_preview) == ("embedding", "refund")
    assert calls["responses"].output_preview == "Rain."
    assert (calls["responses"].input_tokens, calls["responses"].output_tokens) == (9, 3)


@pytest.mark.slow
def test_a_call_that_two_instrumentations_record_is_one_row(
    exporter: Exporter, model_url: str
) -> None:
    calls = run(exporter, model_url, "both", "chat", "stream")

    check_chat(calls["chat"])
    check_stream(calls["stream"])
