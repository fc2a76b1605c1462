from __future__ import annotations

import base64
import gzip
import json
import time
import zlib

import httpx2 as httpx
import pytest
import zstandard
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from requests_log.otlp.asgi import MOST_SPANS, PATHS
from tests.factories import make_api_key
from tests.otlp.conftest import PROTOBUF, Exporter
from tests.otlp.spans import as_json, as_protobuf, make_span
from workbench.core.models import Scope

JSON = "application/json"
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-test"}


def test_a_span_in_protobuf_is_answered_in_protobuf(exporter: Exporter) -> None:
    answer = exporter.post(as_protobuf(make_span(CHAT)))

    assert answer.status_code == 200
    assert answer.headers["content-type"] == PROTOBUF
    assert answer.content == ExportTraceServiceResponse().SerializeToString()
    assert len(exporter.requests()) == 1


def test_a_span_in_json_is_answered_in_json(exporter: Exporter) -> None:
    answer = exporter.post(as_json(make_span(CHAT)), kind=JSON)

    assert (answer.status_code, answer.headers["content-type"], answer.json()) == (200, JSON, {})
    assert len(exporter.requests()) == 1


@pytest.mark.parametrize("path", [*PATHS, "/v1/traces/"])
def test_every_path_that_exporters_use_takes_spans(exporter: Exporter, path: str) -> None:
    assert exporter.post(as_protobuf(make_span()), path=path).status_code == 200

    assert len(exporter.spans()) == 1


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("zstd", zstandard.ZstdCompressor().compress),
    ],
)
def test_bodies_may_be_compressed(exporter: Exporter, name: str, pack: object) -> None:
    assert callable(pack)

    answer = exporter.post(pack(as_protobuf(make_span())), Content_Encoding=name)

    assert answer.status_code == 200
    assert len(exporter.spans()) == 1


@pytest.mark.parametrize("place", ["password", "user", "x-api-key"])
def test_the_key_is_found_where_exporters_put_it(exporter: Exporter, place: str) -> None:
    pair = {"password": f"pk-lf-1:{exporter.key}", "user": f"{exporter.key}:"}.get(place, "")
    headers = (
        {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
        if pair
        else {"x-api-key": exporter.key}
    )

    answer = httpx.post(
        f"{exporter.url}/v1/traces",
        content=as_protobuf(make_span()),
        headers={"Content-Type": PROTOBUF, **headers},
        timeout=60,
    )

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "header",
    ["", "Basic", "Basic !!!", "Basic " + base64.b64encode(b"a:b").decode(), "Bearer x", "Basic :"],
)
def test_without_a_key_nothing_is_taken(exporter: Exporter, header: str) -> None:
    answer = exporter.post(as_protobuf(make_span()), Authorization=header)

    assert answer.status_code == 401
    status = Status.FromString(answer.content)
    assert status.code == 16
    assert "OTEL_EXPORTER_OTLP_HEADERS" in status.message


def test_a_key_that_may_only_read_is_refused(exporter: Exporter) -> None:
    _, key = make_api_key(exporter.project, scopes=[Scope.READ])

    answer = exporter.post(as_json(make_span()), kind=JSON, Authorization=f"Bearer {key}")

    assert answer.status_code == 403
    assert answer.json()["code"] == 7
    assert "ingest" in answer.json()["message"]


def test_spans_that_can_never_be_stored_are_counted_and_the_rest_is_stored(
    exporter: Exporter,
) -> None:
    ahead = time.time_ns() + 3600 * 10**9
    bad = [
        make_span(start_ns=0, end_ns=0),
        make_span(start_ns=ahead, end_ns=ahead),
        make_span(trace_id="00" * 16),
    ]

    answer = exporter.post(as_protobuf(*bad, make_span(name="good")))

    partial = ExportTraceServiceResponse.FromString(answer.content).partial_success
    assert (answer.status_code, partial.rejected_spans) == (200, 3)
    assert "10 minutes ahead" in partial.error_message
    assert [span.name for span in exporter.spans()] == ["good"]


def test_partial_success_is_told_in_json_too(exporter: Exporter) -> None:
    answer = exporter.post(as_json(make_span(span_id="")), kind=JSON)

    told = answer.json()["partialSuccess"]
    assert told["rejectedSpans"] == "1"
    assert "spanId" in told["errorMessage"]


def test_a_span_that_is_sent_again_is_stored_once(exporter: Exporter) -> None:
    call, step = make_span(CHAT), make_span()

    for _ in range(2):
        exporter.export(call, step)
    exporter.export(call)

    assert len(exporter.requests()) == len(exporter.spans()) == 1
    assert len(exporter.raw()) == 2


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", JSON),
        (b"[]", JSON),
        (b'{"resourceSpans": [', JSON),
        (b"\xff" * 20, PROTOBUF),
        (b"{}", PROTOBUF),
    ],
)
def test_what_is_no_export_request_is_a_bad_request(
    exporter: Exporter, body: bytes, kind: str
) -> None:
    answer = exporter.post(body, kind=kind)

    assert answer.status_code == 400
    assert answer.headers["content-type"] == kind
    message = (
        answer.json()["message"] if kind == JSON else Status.FromString(answer.content).message
    )
    assert message.endswith(".")


def test_an_empty_request_is_fine(exporter: Exporter) -> None:
    assert exporter.post(b"").status_code == 200
    assert exporter.post(b"{}", kind=JSON).status_code == 200


def test_other_types_methods_and_encodings_are_refused(exporter: Exporter) -> None:
    assert exporter.post(b"x", kind="text/plain").status_code == 415
    assert exporter.post(b"x", Content_Encoding="br").status_code == 415
    assert exporter.post(b"x", path="/v1/traces/x").status_code == 404
    assert httpx.get(f"{exporter.url}/v1/traces", timeout=60).status_code == 405


def test_a_bomb_costs_no_more_than_the_limit(exporter: Exporter) -> None:
    bomb = gzip.compress(b"\0" * (64 << 20))

    answer = exporter.post(bomb, Content_Encoding="gzip")

    assert answer.status_code == 413
    assert Status.FromString(answer.content).code == 8


def test_a_request_of_too_many_spans_is_refused(exporter: Exporter) -> None:
    one = {"traceId": "", "spanId": ""}
    spans = {"resourceSpans": [{"scopeSpans": [{"spans": [one] * (MOST_SPANS + 1)}]}]}

    answer = exporter.post(json.dumps(spans).encode(), kind=JSON)

    assert answer.status_code == 413
    assert "smaller batch" in answer.json()["message"]


def test_nesting_and_masses_of_keys_break_nothing(exporter: Exporter) -> None:
    deep: object = "x"
    for _ in range(20):
        deep = {"a": deep}
    many = {f"gen_ai.prompt.{number}.content": "x" for number in range(20_000)}
    odd = {"gen_ai.prompt.99999999999999999999.role": "user", "gen_ai.prompt": "scalar", "": "none"}

    exporter.export(make_span({"deep": deep}), make_span(CHAT | many), make_span(CHAT | odd))

    assert len(exporter.requests()) == 2
    assert len(exporter.spans()) == 1
