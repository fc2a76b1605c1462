"""What was sent is what is stored, byte for byte."""

from __future__ import annotations

import gzip
import hashlib

import pytest
import zstandard

from requests_log import bodies
from requests_log.models import LoggedRequest, RequestBody, body_of
from tests.requests_log.conftest import Sender
from tests.requests_log.factories import batch_json, event_json, make_event
from workbench.core.ids import uuid7

ODD = {
    "a NUL escape": rb'{"a": "x\u0000y"}',
    "a lone high surrogate": rb'{"a": "\ud800", "\udfff": 1}',
    "a surrogate pair": rb'{"a": "\ud83d\ude00"}',
    "odd whitespace": b'{ "a"\t:\r\n [ 1 ,2 ]  }',
    "big integers": b'{"a": 123456789012345678901234567890, "b": ' + b"9" * 5000 + b"}",
    "huge exponents": b'{"a": 1e999, "b": -1E400000, "c": -0.0, "d": 1e2}',
    "numbers that are none": b'{"a": NaN, "b": [Infinity, -Infinity]}',
    "duplicate keys": b'{"a": 1, "a": 2, "b": {"a": 1, "a": 1}}',
    "text beyond the basic plane": '{"a": "žluťoučký 😀 中文 ‮"}'.encode(),
    "escaped slashes and letters": rb'{"a": "\/\u0041\u00e9"}',
    "dangerous names": b'{"__proto__": {}, "constructor": {"prototype": 1}, "": 0}',
    "a raw control character": b'{"a": "x\x01y\tz"}',
    "brackets inside text": rb'{"a": "]}\"[{", "b": "\\"}',
}


def stored_request(sender: Sender, request: bytes) -> bytes:
    """Send a request's bytes; return what the log gives back."""
    identifier = uuid7()
    answer = sender.post(batch_json(event_json(request, event_id=str(identifier))))
    assert answer.json()["results"] == [{"id": str(identifier), "status": "accepted"}]
    body = body_of(sender.project, identifier)
    assert body is not None
    assert bytes(body.request_sha256) == hashlib.sha256(request).digest()
    return bodies.read(body).request


@pytest.mark.parametrize("request_bytes", ODD.values(), ids=ODD.keys())
def test_a_request_comes_back_exactly(sender: Sender, request_bytes: bytes) -> None:
    assert stored_request(sender, request_bytes) == request_bytes


def test_a_large_request_comes_back_exactly(sender: Sender) -> None:
    request = b'{"a": "' + bytes(range(0x20, 0x7F)).replace(b'"', b"").replace(b"\\", b"") * 80_000
    request += b'"}'

    assert stored_request(sender, request) == request


def test_response_and_prompt_variables_come_back_exactly(sender: Sender) -> None:
    identifier = uuid7()
    response = rb'{"z": 1, "a": "\ud800", "n": 1.10}'
    variables = rb'{"b": 2.0, "a": "\u0000"}'
    extra = b',"response":' + response + b',"prompt":{"name":"p","variables":' + variables + b"}"

    sender.post(batch_json(event_json(b"{}", event_id=str(identifier), extra=extra)))

    body = body_of(sender.project, identifier)
    assert body is not None
    assert bodies.read(body) == bodies.Bodies(b"{}", response, variables)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_compressed_batches_are_taken(sender: Sender, encoding: str) -> None:
    compress = gzip.compress if encoding == "gzip" else zstandard.ZstdCompressor().compress
    content = compress(batch_json(event_json(b'{"a": 1}')))

    answer = sender.post(content, Content_Encoding=encoding)

    assert answer.json()["accepted"] == 1


def test_gzip_of_several_members_is_read_to_its_end(sender: Sender) -> None:
    content = batch_json(event_json(b"{}"), event_json(b"{}"))

    answer = sender.post(
        gzip.compress(content[:50]) + gzip.compress(content[50:]), Content_Encoding="gzip"
    )

    assert answer.json()["accepted"] == 2


def test_typed_texts_replace_what_postgres_cannot_hold_and_say_so(sender: Sender) -> None:
    event = make_event(
        model="a\x00b\ud800c", tags={"k\x00": "v\udfff"}, user="u" * 9000, environment="ok"
    )

    sender.send(event)

    row = LoggedRequest.objects.in_project(sender.project).get()
    assert row.model == "a\ufffdb\ufffdc"
    assert row.tags == {"k\ufffd": "v\ufffd"}
    assert row.altered == ["model", "tags"]
    assert LoggedRequest.objects.all().of_user("u" * 9000).count() == 1


def test_facts_arrive_in_their_columns(sender: Sender) -> None:
    event = make_event(
        status="error",
        http_status=429,
        error={"type": "rate_limit", "message": "slow down"},
        prompt={"name": "triage", "version": 3, "variables": {"x": 1}},
        tags={"route": "checkout"},
        session="s1",
        trace={"trace_id": "t", "span_id": "s", "parent_id": "p"},
        release="1.2",
        ttft_ms=120,
    )

    sender.send(event)

    row = LoggedRequest.objects.in_project(sender.project).tagged("route", "checkout").get()
    assert (row.status, row.http_status, row.error_type) == ("error", 429, "rate_limit")
    assert (row.prompt_name, row.prompt_version) == ("triage", 3)
    assert (row.trace_id, row.span_id, row.parent_id) == ("t", "s", "p")
    assert (row.session, row.release, row.ttft_ms) == ("s1", "1.2", 120.0)
    assert row.started_at.isoformat() == event["started_at"]


def test_a_body_that_rotted_on_disk_is_noticed(sender: Sender) -> None:
    sender.send(make_event())
    RequestBody.objects.in_project(sender.project).update(codec="raw", request=b"{}")

    with pytest.raises(bodies.BodyDamaged):
        bodies.read(RequestBody.objects.in_project(sender.project).get())
