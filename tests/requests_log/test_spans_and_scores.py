"""Spans and scores: sent beside calls, stored exactly and once, one result each."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from requests_log import bodies
from requests_log.calls import Item, Verdict
from requests_log.models import LoggedRequest, LoggedScore, LoggedSpan, Quarantined
from tests.requests_log.conftest import Sender
from tests.requests_log.factories import (
    batch_json,
    make_call,
    make_event,
    make_score,
    make_span,
    score_event,
    span_event,
    store_calls,
)
from workbench.core.ids import time_of, uuid7
from workbench.core.models import Project


def test_calls_spans_and_scores_of_one_batch_get_one_result_each(sender: Sender) -> None:
    events = [score_event(), make_event(), span_event(), score_event(), span_event(name="")]

    answer = sender.send(*events)

    assert [one["status"] for one in answer["results"]] == ["accepted"] * 4 + ["rejected"]
    assert [one["id"] for one in answer["results"]] == [event["id"] for event in events]
    assert LoggedRequest.objects.in_project(sender.project).count() == 1
    assert LoggedSpan.objects.in_project(sender.project).count() == 1
    assert LoggedScore.objects.in_project(sender.project).count() == 2


def test_what_a_span_says_arrives_in_its_columns(sender: Sender) -> None:
    event = span_event(
        kind="agent",
        status="error",
        error={"type": "Timeout", "message": "too slow"},
        trace={"trace_id": "t", "span_id": "s", "parent_id": "p"},
        prompt={"name": "triage", "version": 3},
        tags={"route": "checkout"},
        user="u1",
        session="s1",
        environment="production",
        release="1.2",
        source="sdk",
        attributes={"retries": 2},
    )

    sender.send(event)

    row = LoggedSpan.objects.in_project(sender.project).in_trace("t").get()
    assert (row.name, row.kind, row.status) == ("look up the order", "agent", "error")
    assert (row.error_type, row.error_message) == ("Timeout", "too slow")
    assert (row.trace_id, row.span_id, row.parent_id) == ("t", "s", "p")
    assert (row.prompt_name, row.prompt_version, row.tags) == ("triage", 3, {"route": "checkout"})
    assert (row.end_user, row.session) == ("u1", "s1")
    assert (row.environment, row.release, row.source) == ("production", "1.2", "sdk")
    assert row.started_at.isoformat() == event["started_at"]
    assert (row.duration_ms, row.input_size, row.redaction) == (3.5, len('{"order": 7}'), 0)


DOCUMENTS = {
    "nothing": b"null",
    "a NUL escape": rb'{"a": "x\u0000y"}',
    "a lone surrogate": rb'["\ud800"]',
    "not a number": b'{"a": NaN}',
    "a long text": b'{"a": "' + b"word " * 50_000 + b'"}',
    "odd whitespace": b'{ "a"\t:\r\n [ 1 ,2 ]  }',
}


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS.keys())
def test_a_spans_documents_come_back_exactly(sender: Sender, document: bytes) -> None:
    head = span_event()
    del head["input"], head["output"]
    attributes = b'{"k": ' + document + b"}"
    parts = b',"input":' + document + b',"output":' + document + b',"attributes":' + attributes

    answer = sender.post(batch_json(json.dumps(head).encode()[:-1] + parts + b"}"))

    assert answer.json()["accepted"] == 1
    kept = None if document == b"null" else document
    found = bodies.read_span(LoggedSpan.objects.in_project(sender.project).get())
    assert found == bodies.SpanDocuments(kept, kept, attributes)


VALUES: list[tuple[Any, str, float | None, str | None]] = [
    (True, "boolean", 1.0, None),
    (False, "boolean", 0.0, None),
    (4, "number", 4.0, None),
    (-0.25, "number", -0.25, None),
    ("too long, a\x00b", "text", None, "too long, a\ufffdb"),
    ("", "text", None, ""),
]


@pytest.mark.parametrize(("value", "data_type", "number", "label"), VALUES, ids=range(len(VALUES)))
def test_a_scores_value_keeps_its_type(
    sender: Sender, value: Any, data_type: str, number: float | None, label: str | None
) -> None:
    sender.send(score_event(value=value))

    row = LoggedScore.objects.in_project(sender.project).get()
    assert (row.data_type, row.number, row.label) == (data_type, number, label)
    assert row.value == (label if data_type == "text" else value)


def test_a_score_may_say_that_its_text_is_a_category(sender: Sender) -> None:
    sender.send(score_event(value="rude", data_type="category"))

    row = LoggedScore.objects.in_project(sender.project).get()
    assert (row.data_type, row.value) == ("category", "rude")


def test_a_score_may_come_before_its_request_and_is_found_by_it(sender: Sender) -> None:
    request_id = uuid7()

    sender.send(score_event(request_id=str(request_id), comment="Wrong parcel", author="u1"))
    sender.send(make_event(id=str(request_id)))

    row = LoggedScore.objects.in_project(sender.project).of_request(request_id).get()
    assert (row.comment, row.author, row.origin) == ("Wrong parcel", "u1", "end_user")


def test_a_score_without_a_time_takes_that_of_its_id(sender: Sender) -> None:
    identifier = uuid7(datetime(2026, 11, 1, tzinfo=UTC))

    sender.send(score_event(id=str(identifier)))

    assert LoggedScore.objects.in_project(sender.project).get().at == time_of(identifier)


WRONG: list[tuple[dict[str, Any], str]] = [
    (score_event(value="much", data_type="number"), "value"),
    (score_event(value=True, data_type="number"), "value"),
    (span_event(trace=None), "trace"),
    (span_event(trace={"trace_id": "t"}), "trace"),
    (span_event(kind="dream"), "kind"),
    (span_event(name="n" * 501), "name"),
    (span_event(attributes=[1]), "attributes"),
    (span_event(started_at="2026-01-01T00:00:00"), "timezone"),
    (score_event(value=None), "value"),
    (score_event(value={"a": 1}), "value"),
    (score_event(value="x" * 10_001), "value"),
    (score_event(value=float("nan")), "value"),
    (score_event(value=float("inf")), "value"),
    (score_event(request_id=None), "request_id"),
    (score_event(trace_id="t"), "request_id"),
    (score_event(request_id="7"), "request_id"),
    (score_event(origin="oracle"), "origin"),
    (score_event(name=""), "name"),
    (score_event(at="0001-01-01T00:00:00+10:00"), "at"),
]


@pytest.mark.parametrize(("event", "named"), WRONG, ids=range(len(WRONG)))
def test_a_wrong_field_of_a_span_or_score_is_named(
    sender: Sender, event: dict[str, Any], named: str
) -> None:
    answer = sender.send(event, make_event())

    assert [one["status"] for one in answer["results"]] == ["rejected", "accepted"]
    assert named in answer["results"][0]["reason"]


def test_one_id_may_name_a_call_a_span_and_a_score(project: Project) -> None:
    same = uuid7()
    items: list[Item] = [
        make_call(project, id=same),
        make_span(project, id=same),
        make_score(project, id=same),
    ]

    answers = [store_calls(items), store_calls(items)]

    assert [[one.verdict for one in answer] for answer in answers] == [
        [Verdict.ACCEPTED] * 3,
        [Verdict.DUPLICATE] * 3,
    ]


def test_spans_and_scores_sent_again_are_stored_once_and_changes_are_said(
    project: Project,
) -> None:
    span, score = make_span(project), make_score(project, value=1)
    store_calls([span, score])
    changed: list[Item] = [
        make_span(project, id=span.id, output=b'"lost"'),
        make_score(project, id=score.id, value=2),
    ]

    again = store_calls([span, score])
    other = store_calls(changed)

    assert ["different content" in one.reason for one in again] == [False, False]
    assert ["different content" in one.reason for one in other] == [True, True]
    assert LoggedSpan.objects.in_project(project).get().output_size == len(b'"underway"')
    assert LoggedScore.objects.in_project(project).get().number == 1


def test_a_span_and_a_score_postgres_refuses_go_to_quarantine_whole(project: Project) -> None:
    bad_span = make_span(project, kind="dream", attributes=b'{"a": 1}')
    bad_score = make_score(project, origin="oracle")

    outcomes = store_calls([bad_score, make_call(project), bad_span, make_span(project)])

    rejected, accepted = Verdict.REJECTED, Verdict.ACCEPTED
    assert [one.verdict for one in outcomes] == [rejected, accepted, rejected, accepted]
    kept = {row.kind: row for row in Quarantined.objects.in_project(project)}
    assert set(kept) == {"span", "score"}
    assert bytes(kept["span"].request or b"") == bad_span.input
    assert bytes(kept["span"].variables or b"") == bad_span.attributes
    assert json.loads(bytes(kept["score"].facts))["value"] is True
