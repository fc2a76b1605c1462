"""What is known of a trace only when several of its spans are there."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from requests_log.otlp.models import OtlpSpan
from requests_log.otlp.remap import remap_spans
from requests_log.otlp.spans import OtelSpan
from tests.otlp.conftest import PROTOBUF, Exporter
from tests.otlp.spans import as_json, as_protobuf, make_span

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-test"}
WHO = {"session.id": "s-7", "user.id": "u-1"}


@pytest.mark.parametrize("first", ["the call", "the root"])
def test_a_call_is_whose_its_traces_root_says_whichever_comes_first(
    exporter: Exporter, first: str
) -> None:
    root = make_span(WHO)
    # Two steps below it, and what lies between never comes.
    call = make_span(CHAT, parent_id="ab" * 8)
    own = make_span(CHAT | {"user.id": "somebody else"}, parent_id=root.span_id)

    for span in (call, own, root) if first == "the call" else (root, call, own):
        exporter.export(span)
    whose = {request.id: (request.end_user, request.session) for request in exporter.requests()}
    assert whose == {call.id: ("u-1", "s-7"), own.id: ("somebody else", "s-7")}

    OtlpSpan.objects.in_project(exporter.project).update(mapping_version=0)
    remap_spans(exporter.project)

    whose = {request.id: (request.end_user, request.session) for request in exporter.requests()}
    assert whose == {call.id: ("u-1", "s-7"), own.id: ("somebody else", "s-7")}


def test_another_traces_root_says_nothing(exporter: Exporter) -> None:
    exporter.export(make_span(CHAT))
    exporter.export(make_span(WHO, trace_id="cd" * 16))

    assert exporter.requests()[0].end_user is None


@pytest.mark.parametrize(
    ("encode", "kind"), [(as_protobuf, PROTOBUF), (as_json, "application/json")]
)
def test_a_collector_sends_several_services_at_once(
    exporter: Exporter, encode: Callable[..., bytes], kind: str
) -> None:
    shop = {"service.name": "shop", "deployment.environment.name": "production"}
    desk = {"service.name": "desk", "service.version": "2"}
    spans = [
        make_span(CHAT, resource=shop),
        make_span(CHAT, resource=desk),
        make_span(resource=desk),
    ]

    answer = exporter.post(encode(*spans), kind=kind)

    assert answer.status_code == 200
    told = {
        request.id: (request.tags["service"], request.environment, request.release)
        for request in exporter.requests()
    }
    assert told == {
        spans[0].id: ("shop", "production", None),
        spans[1].id: ("desk", None, "2"),
    }
    assert [span.tags for span in exporter.spans()] == [{"service": "desk"}]


def test_what_arrives_in_pieces_is_one_trace(exporter: Exporter) -> None:
    spans: list[OtelSpan] = [make_span()]
    for _ in range(4):
        spans.append(make_span(CHAT, parent_id=spans[0].span_id))

    for span in reversed(spans):
        exporter.export(span)

    assert {request.trace_id for request in exporter.requests()} == {spans[0].trace_id}
    assert len(exporter.requests()) == 4
