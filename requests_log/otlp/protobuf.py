"""OTLP's binary encoding: https://opentelemetry.io/docs/specs/otlp/#binary-protobuf-encoding."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Iterator
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from requests_log.otlp.spans import Attributes, OtelEvent, OtelLink, OtelSpan


class Undecodable(Exception):
    """The body is not what its content type says; the message says how."""


def decode(body: bytes) -> Iterator[OtelSpan]:
    """The spans of an export request, one by one.

    Raises:
        Undecodable: it is not an export request.
    """
    request = ExportTraceServiceRequest()
    try:
        request.ParseFromString(body)
    except DecodeError as problem:
        raise Undecodable("The body is not an ExportTraceServiceRequest in protobuf.") from problem
    for of_resource in request.resource_spans:
        resource = _attributes(of_resource.resource.attributes)
        for of_scope in of_resource.scope_spans:
            scope = of_scope.scope
            for span in of_scope.spans:
                yield _span(span, resource, scope.name, scope.version)


def encode_answer(rejected: int, message: str) -> bytes:
    """An answer that tells of rejected spans, or the empty one."""
    answer = ExportTraceServiceResponse()
    if rejected or message:
        answer.partial_success.CopyFrom(
            ExportTracePartialSuccess(rejected_spans=rejected, error_message=message)
        )
    return answer.SerializeToString()


def encode_status(code: int, message: str) -> bytes:
    """A google.rpc.Status: `code` is its field 1, `message` its field 2, nothing else is set.

    Written out, because the message's own package would be needed for these few bytes alone.
    """
    text = message.encode()
    return b"\x08" + _varint(code) + b"\x12" + _varint(len(text)) + text


def _varint(number: int) -> bytes:
    parts = []
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


def _span(span: Span, resource: Attributes, scope: str, scope_version: str) -> OtelSpan:
    return OtelSpan(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        name=span.name,
        kind=span.kind,
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        status=span.status.code,
        status_message=span.status.message,
        attributes=_attributes(span.attributes),
        events=[
            OtelEvent(event.name, event.time_unix_nano, _attributes(event.attributes))
            for event in span.events
        ],
        links=[
            OtelLink(link.trace_id.hex(), link.span_id.hex(), _attributes(link.attributes))
            for link in span.links
        ],
        trace_state=span.trace_state,
        dropped_attributes=span.dropped_attributes_count,
        dropped_events=span.dropped_events_count,
        resource=resource,
        scope=scope,
        scope_version=scope_version,
    )


def _attributes(pairs: Iterable[KeyValue]) -> Attributes:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [_value(inner) for inner in value.array_value.values]
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    if kind == "double_value":
        return finite(value.double_value)
    return getattr(value, kind)


def finite(number: float) -> float | str:
    """The number; as text when JSON has none for it."""
    return number if math.isfinite(number) else str(number)
