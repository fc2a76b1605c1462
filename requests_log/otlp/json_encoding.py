"""OTLP's JSON encoding: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding.

Tolerant where senders differ: 64-bit numbers as text or number, names in camelCase or snake_case,
enumerations by number or name, ids in hexadecimal of either case or, as plain protobuf JSON
writes them, in base64. What has an unexpected type reads as absent.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from requests_log import exact_json
from requests_log.digest.derive import storable
from requests_log.exact_json import MAX_DEPTH, is_deeper_than
from requests_log.otlp.protobuf import Undecodable, finite
from requests_log.otlp.spans import Attributes, OtelEvent, OtelLink, OtelSpan

KINDS = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
STATUSES = ("UNSET", "OK", "ERROR")
_hexadecimal = re.compile(r"[0-9a-fA-F]*")
_capital = re.compile("[A-Z]")
ID_BYTES = (8, 16)


def decode(body: bytes) -> Iterator[OtelSpan]:
    """The spans of an export request, one by one.

    Raises:
        Undecodable: it is not JSON, or not an object.
    """
    document = _parse(body)
    if not isinstance(document, dict):
        raise Undecodable('The body is not an export request: send {"resourceSpans": […]}.')
    for of_resource in _objects(document, "resourceSpans"):
        resource = _attributes(_object(of_resource, "resource"))
        for of_scope in _objects(of_resource, "scopeSpans"):
            scope = _object(of_scope, "scope")
            for span in _objects(of_scope, "spans"):
                yield _span(span, resource, scope)


def encode_answer(rejected: int, message: str) -> bytes:
    """An answer that tells of rejected spans, or the empty one."""
    if not rejected and not message:
        return b"{}"
    told = {"rejectedSpans": str(rejected), "errorMessage": message}
    return msgspec.json.encode({"partialSuccess": told})


def encode_status(code: int, message: str) -> bytes:
    """A google.rpc.Status."""
    return msgspec.json.encode({"code": code, "message": message})


def _parse(body: bytes) -> Any:
    if is_deeper_than(body, MAX_DEPTH):
        raise Undecodable(f"The body is nested deeper than {MAX_DEPTH} levels.")
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _parse_loosely(body)
    return storable(document) if b"\\u0000" in body else document


def _parse_loosely(body: bytes) -> Any:
    try:
        return storable(exact_json.parse_loosely(body))
    except exact_json.Malformed as problem:
        raise Undecodable(str(problem)) from problem


def _span(given: dict[str, Any], resource: Attributes, scope: dict[str, Any]) -> OtelSpan:
    status = _object(given, "status")
    return OtelSpan(
        trace_id=_id(given, "traceId"),
        span_id=_id(given, "spanId"),
        parent_id=_id(given, "parentSpanId"),
        name=_text(given, "name"),
        kind=_enumerated(given, "kind", KINDS),
        start_ns=_count(given, "startTimeUnixNano"),
        end_ns=_count(given, "endTimeUnixNano"),
        status=_enumerated(status, "code", STATUSES),
        status_message=_text(status, "message"),
        attributes=_attributes(given),
        events=[
            OtelEvent(_text(event, "name"), _count(event, "timeUnixNano"), _attributes(event))
            for event in _objects(given, "events")
        ],
        links=[
            OtelLink(_id(link, "traceId"), _id(link, "spanId"), _attributes(link))
            for link in _objects(given, "links")
        ],
        trace_state=_text(given, "traceState"),
        dropped_attributes=_count(given, "droppedAttributesCount"),
        dropped_events=_count(given, "droppedEventsCount"),
        resource=resource,
        scope=_text(scope, "name"),
        scope_version=_text(scope, "version"),
    )


def _attributes(given: dict[str, Any]) -> Attributes:
    pairs = _objects(given, "attributes")
    return {_text(pair, "key"): _value(_object(pair, "value")) for pair in pairs}


def _value(value: dict[str, Any]) -> Any:
    for kind, held in value.items():
        match kind.replace("_v", "V"):
            case "stringValue" | "boolValue" | "bytesValue":
                return held
            case "intValue":
                return _whole(held)
            case "doubleValue":
                return _double(held)
            case "arrayValue":
                return [_value(inner) for inner in _objects(_dict(held), "values")]
            case "kvlistValue":
                return _members(_dict(held))
    return None


def _members(given: dict[str, Any]) -> Attributes:
    pairs = _objects(given, "values")
    return {_text(pair, "key"): _value(_object(pair, "value")) for pair in pairs}


def _get(given: dict[str, Any], name: str) -> Any:
    if name in given:
        return given[name]
    return given.get(_capital.sub(lambda found: f"_{found[0].lower()}", name))


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _object(given: dict[str, Any], name: str) -> dict[str, Any]:
    return _dict(_get(given, name))


def _objects(given: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = _get(given, name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _text(given: dict[str, Any], name: str) -> str:
    found = _get(given, name)
    return found if isinstance(found, str) else ""


def _count(given: dict[str, Any], name: str) -> int:
    found = _whole(_get(given, name))
    return found if isinstance(found, int) and 0 <= found < 2**64 else 0


def _whole(value: Any) -> Any:
    """A 64-bit number that may be written as text; what is none stays as it is."""
    if isinstance(value, str) and len(value) <= 20 and value.lstrip("-").isascii():
        try:
            return int(value)
        except ValueError:
            return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _double(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return finite(float(value))
        except ValueError:
            return value
    return value


def _enumerated(given: dict[str, Any], name: str, names: tuple[str, ...]) -> int:
    found = _whole(_get(given, name))
    if isinstance(found, str):
        last = next((known for known in names if found.upper().endswith(known)), None)
        return 0 if last is None else names.index(last)
    return found if isinstance(found, int) and 0 <= found < len(names) else 0


def _id(given: dict[str, Any], name: str) -> str:
    """Hexadecimal in lower case; what is not an id reads as none."""
    text = _text(given, name)
    if len(text) in {2 * size for size in ID_BYTES} and _hexadecimal.fullmatch(text):
        return text.lower()
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return ""
    return raw.hex() if len(raw) in ID_BYTES else ""
