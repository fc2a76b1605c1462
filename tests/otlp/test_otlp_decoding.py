from __future__ import annotations

import json
from typing import Any

import pytest

from requests_log.otlp import json_encoding, protobuf
from requests_log.otlp.protobuf import Undecodable
from requests_log.otlp.spans import OtelSpan, from_raw, to_raw
from tests.otlp.spans import TRACE, as_document, as_json, as_protobuf, event, make_span
from workbench.core.ids import is_uuid7, time_of

EVERYTHING = {
    "text": "Grüß \N{GRINNING FACE}",
    "nul": "a\x00b",
    "whole": 2**53 + 1,
    "negative": -(2**62),
    "real": 0.5,
    "yes": True,
    "list": ["a", 1, [True]],
    "object": {"a.b": {"c": [1.5]}},
    "__proto__": "x",
    "constructor.prototype": "y",
}


def full_span() -> OtelSpan:
    return make_span(
        EVERYTHING,
        parent_id="b7ad6b7169203331",
        kind=3,
        status=2,
        status_message="It broke.",
        events=[event("exception", {"exception.type": "E"}, at_ns=17)],
    )


def test_both_encodings_give_the_same_span() -> None:
    span = full_span()

    (from_protobuf,) = protobuf.decode(as_protobuf(span))
    (from_json,) = json_encoding.decode(as_json(span))

    assert from_protobuf.attributes == EVERYTHING
    assert from_json == OtelSpan(
        **{name: getattr(from_protobuf, name) for name in OtelSpan.__struct_fields__}
        | {"attributes": from_json.attributes}
    )
    assert from_json.attributes == EVERYTHING | {"nul": "a\N{REPLACEMENT CHARACTER}b"}
    assert from_json.resource == {"service.name": "checkout"}
    assert (from_json.scope, from_json.scope_version) == ("tests", "1")


def test_json_is_read_in_snake_case_with_numbers_as_numbers_and_names_as_names() -> None:
    document = {
        "resource_spans": [
            {
                "scope_spans": [
                    {
                        "spans": [
                            {
                                "trace_id": TRACE.upper(),
                                "span_id": "EEE19B7EC3C1B174",
                                "parent_span_id": "",
                                "name": "call",
                                "kind": "SPAN_KIND_CLIENT",
                                "start_time_unix_nano": 1_790_000_000_000_000_000,
                                "end_time_unix_nano": 1_790_000_001_000_000_000,
                                "status": {"code": "STATUS_CODE_ERROR"},
                                "attributes": [
                                    {"key": "n", "value": {"int_value": 3}},
                                    {"key": "d", "value": {"double_value": "NaN"}},
                                    {
                                        "key": "l",
                                        "value": {"array_value": {"values": [{"int_value": "4"}]}},
                                    },
                                ],
                            }
                        ]
                    }
                ]
            }
        ]
    }

    (span,) = json_encoding.decode(json.dumps(document).encode())

    assert (span.trace_id, span.span_id) == (TRACE, "eee19b7ec3c1b174")
    assert (span.kind, span.status, span.duration_ms) == (3, 2, 1000.0)
    assert span.attributes == {"n": 3, "d": "nan", "l": [4]}


def test_ids_in_base64_are_read_too() -> None:
    document = as_document(make_span(span_id="eee19b7ec3c1b174"))
    span: dict[str, Any] = document["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    span |= {"traceId": "W4qlotLIcugyHPNzCGnfMg==", "spanId": "7uGbfsPBsXQ="}

    (read,) = json_encoding.decode(json.dumps(document).encode())

    assert (read.trace_id, read.span_id) == ("5b8aa5a2d2c872e8321cf3730869df32", "eee19b7ec3c1b174")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b'"x"',
        b"{",
        b"{} trailing",
        b"\xff\xfe{\x00}\x00",
        b'{"resourceSpans":' + b"[" * 100_000,
    ],
)
def test_what_is_no_export_request_is_refused_with_words(body: bytes) -> None:
    with pytest.raises(Undecodable, match=r"\w"):
        list(json_encoding.decode(body))


@pytest.mark.parametrize("body", [b"\x0a\xff", b"garbage", b"\x0a\x05" + b"\xff" * 5])
def test_broken_protobuf_is_refused_with_words(body: bytes) -> None:
    with pytest.raises(Undecodable, match="protobuf"):
        list(protobuf.decode(body))


@pytest.mark.parametrize(
    "given",
    [
        {"resourceSpans": None},
        {"resourceSpans": [None, 1, {"scopeSpans": {"spans": []}}]},
        {"resourceSpans": [{"scopeSpans": [{"spans": ["x", {}]}]}]},
        {"resourceSpans": [{"resource": [], "scopeSpans": [{"spans": [{"attributes": "x"}]}]}]},
        {"resourceSpans": [{"scopeSpans": [{"spans": [{"attributes": [{"value": 1}]}]}]}]},
    ],
)
def test_parts_of_another_type_read_as_absent(given: Any) -> None:
    spans = list(json_encoding.decode(json.dumps(given).encode()))

    assert all(span.trace_id == "" for span in spans)


def test_lone_surrogates_and_huge_numbers_do_not_stop_a_batch() -> None:
    body = as_json(make_span({"text": "TEXT", "n": 1})).replace(b'"TEXT"', b'"\\ud800"')
    body = body.replace(b'"intValue": "1"', b'"intValue": ' + b"9" * 400)

    (span,) = json_encoding.decode(body)

    assert span.attributes["text"] == "\N{REPLACEMENT CHARACTER}"
    assert from_raw(to_raw(span)) == span


def test_a_span_has_one_id_however_often_it_is_sent() -> None:
    span = full_span()

    (again,) = protobuf.decode(as_protobuf(span))

    assert again.id == span.id
    assert is_uuid7(span.id)
    assert abs((time_of(span.id) - span.started_at).total_seconds()) < 0.001
    assert make_span(start_ns=span.start_ns, end_ns=span.end_ns).id != span.id


def test_what_is_kept_of_a_span_gives_the_span_back() -> None:
    (span,) = protobuf.decode(as_protobuf(full_span()))

    assert from_raw(to_raw(span)) == span
