"""Export requests in both encodings, as collectors and SDKs write them."""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from requests_log.otlp.spans import OtelEvent, OtelSpan

TRACE = "5b8aa5a2d2c872e8321cf37308d69df2"


def make_span(attributes: Mapping[str, Any] | None = None, **fields: Any) -> OtelSpan:
    """A span of a second's length that began just now."""
    begun = time.time_ns() - 5_000_000_000
    defaults: dict[str, Any] = {
        "trace_id": TRACE,
        "span_id": os.urandom(8).hex(),
        "name": "step",
        "start_ns": begun,
        "end_ns": begun + 1_000_000_000,
        "attributes": dict(attributes or {}),
    }
    return OtelSpan(**defaults | fields)


def event(name: str, attributes: Mapping[str, Any] | None = None, *, at_ns: int = 0) -> OtelEvent:
    return OtelEvent(name, at_ns, dict(attributes or {}))


def as_document(*spans: OtelSpan) -> dict[str, Any]:
    """The export request of OTLP/JSON: hexadecimal ids, 64-bit numbers as text."""
    return {"resourceSpans": [_of_resource(*group) for group in groupby(spans, _resource)]}


def _resource(span: OtelSpan) -> dict[str, Any]:
    return span.resource or {"service.name": "checkout"}


def _of_resource(resource: Mapping[str, Any], spans: Iterable[OtelSpan]) -> dict[str, Any]:
    scope = {"scope": {"name": "tests", "version": "1"}, "spans": [_span(one) for one in spans]}
    return {"resource": {"attributes": _pairs(resource)}, "scopeSpans": [scope]}


def as_json(*spans: OtelSpan) -> bytes:
    return json.dumps(as_document(*spans)).encode()


def as_protobuf(*spans: OtelSpan) -> bytes:
    """The same in protobuf."""
    document = as_document(*spans)
    for of_resource in document["resourceSpans"]:
        for of_scope in of_resource["scopeSpans"]:
            for span in of_scope["spans"]:
                for name in ("traceId", "spanId", "parentSpanId"):
                    if name in span:
                        span[name] = _base64(span[name])
    return ParseDict(document, ExportTraceServiceRequest()).SerializeToString()


def _base64(hexadecimal: str) -> str:
    return base64.b64encode(bytes.fromhex(hexadecimal)).decode()


def _span(span: OtelSpan) -> dict[str, Any]:
    return {
        "traceId": span.trace_id,
        "spanId": span.span_id,
        **({"parentSpanId": span.parent_id} if span.parent_id else {}),
        "name": span.name,
        "kind": span.kind,
        "startTimeUnixNano": str(span.start_ns),
        "endTimeUnixNano": str(span.end_ns),
        "attributes": _pairs(span.attributes),
        "status": {"code": span.status, "message": span.status_message},
        "events": [
            {
                "name": one.name,
                "timeUnixNano": str(one.at_ns),
                "attributes": _pairs(one.attributes),
            }
            for one in span.events
        ],
    }


def _pairs(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": name, "value": _value(value)} for name, value in given.items()]


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_value(one) for one in value]}}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": _pairs(value)}}
    return {"stringValue": value}
