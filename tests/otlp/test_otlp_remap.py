from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from requests_log.bulk.actions import undo
from requests_log.bulk.deleting import delete_requests
from requests_log.models import RequestRow, RequestTags
from requests_log.otlp.mapping import VERSION
from requests_log.otlp.models import OtlpSpan
from requests_log.otlp.remap import remap_spans
from requests_log.selection import Selection
from requests_log.tagging import read_tagging, tag_requests
from tests.curate.test_bulk_meeting import alone, await_waiter
from tests.otlp.conftest import Exporter
from tests.otlp.spans import make_span
from workbench.core.models import Project

ASKED = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "Where is it?"}]}])
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-test"}


def spoil(project: Project) -> None:
    """Make everything look like the work of an older, worse mapping."""
    OtlpSpan.objects.in_project(project).update(mapping_version=VERSION - 1)
    RequestRow.objects.in_project(project).update(model="wrong", end_user=None)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE requests_log_span SET name = 'wrong' WHERE project_id = %s", [project.pk]
        )


def test_what_an_older_mapping_made_is_made_again(exporter: Exporter) -> None:
    call = make_span(CHAT | {"gen_ai.input.messages": ASKED, "user.id": "u-1"})
    exporter.export(call, make_span(name="step"))
    (before,) = exporter.requests()
    RequestTags.objects.filter(id=before.id).update(tags={"service": "checkout", "by": "a person"})
    spoil(exporter.project)

    done = remap_spans(exporter.project)

    (request,) = exporter.requests()
    assert (done.spans, done.traces, done.failed, done.total_spans) == (2, 1, 0, 2)
    assert (request.id, request.model, request.end_user) == (before.id, "gpt-test", "u-1")
    assert request.received_at == before.received_at
    assert request.key_id == before.key_id
    assert request.tags == {"service": "checkout", "by": "a person"}
    assert request.input_preview == "Where is it?"
    assert [span.name for span in exporter.spans()] == ["step"]


def test_a_tag_that_a_person_is_setting_outlives_the_mapping(exporter: Exporter) -> None:
    exporter.export(make_span(CHAT))
    (before,) = exporter.requests()
    spoil(exporter.project)

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            RequestTags.objects.filter(id=before.id).update(tags={"by": "a person"})
            mapped = pool.submit(alone, lambda: remap_spans(exporter.project))
            await_waiter()
        assert mapped.result(timeout=60).failed == 0

    (request,) = exporter.requests()
    assert request.model == "gpt-test"
    assert request.tags["by"] == "a person"


def test_a_tag_set_while_a_trace_is_being_mapped_waits_and_is_kept(exporter: Exporter) -> None:
    exporter.export(make_span(CHAT))
    (before,) = exporter.requests()
    spoil(exporter.project)
    now = datetime.now(UTC)
    chosen, tagging = Selection(at=now, ids=(before.id,)), read_tagging("by", "a person")

    def tag() -> int:
        done = tag_requests(exporter.project, selection=chosen, tagging=tagging, by=None, at=now)
        return done.changed

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            remap_spans(exporter.project)
            tagged = pool.submit(alone, tag)
            await_waiter()
        assert tagged.result(timeout=60) == 1

    assert exporter.requests()[0].tags["by"] == "a person"


def test_mapping_again_a_second_time_does_nothing(exporter: Exporter) -> None:
    exporter.export(make_span(CHAT))
    spoil(exporter.project)
    remap_spans(exporter.project)

    assert remap_spans(exporter.project).spans == 0


def test_a_deleted_call_does_not_come_back_but_by_undoing(exporter: Exporter) -> None:
    exporter.export(make_span(CHAT), make_span(name="step"))
    (before,) = exporter.requests()
    now = datetime.now(UTC)
    chosen = Selection(at=now, ids=(before.id,))
    action = delete_requests(exporter.project, selection=chosen, by=None, at=now)
    spoil(exporter.project)

    remap_spans(exporter.project)

    assert exporter.requests() == []
    assert [span.name for span in exporter.spans()] == ["step"]
    undo(action, by=None, at=now)
    assert [request.id for request in exporter.requests()] == [before.id]


def test_a_call_that_turns_out_to_be_a_step_moves(exporter: Exporter) -> None:
    # Sent apart, so that the inner one was stored before the outer one, which has the messages.
    outer = make_span(CHAT | {"gen_ai.input.messages": ASKED})
    inner = make_span(CHAT, parent_id=outer.span_id)
    exporter.export(inner)
    exporter.export(outer)
    assert [request.id for request in exporter.requests()] == [inner.id]
    spoil(exporter.project)

    remap_spans(exporter.project)

    assert [request.id for request in exporter.requests()] == [outer.id]
    assert exporter.requests()[0].input_preview == "Where is it?"
    assert [span.id for span in exporter.spans()] == [inner.id]


def test_who_is_asked_about_late_is_found_by_mapping_again(exporter: Exporter) -> None:
    agent = make_span({"session.id": "s-7", "user.id": "u-1"}, parent_id="ab" * 8)
    exporter.export(make_span(CHAT, parent_id=agent.span_id))
    exporter.export(agent)
    assert exporter.requests()[0].session is None
    spoil(exporter.project)

    remap_spans(exporter.project)

    assert (exporter.requests()[0].session, exporter.requests()[0].end_user) == ("s-7", "u-1")


def test_a_trace_that_cannot_be_mapped_stays_and_is_told_of(exporter: Exporter) -> None:
    exporter.export(make_span(CHAT))
    exporter.export(make_span(CHAT, trace_id="ab" * 16))
    spoil(exporter.project)
    OtlpSpan.objects.filter(project=exporter.project, trace_id="ab" * 16).update(
        codec="zstd", raw=b"damaged"
    )
    out = StringIO()

    with pytest.raises(CommandError, match="1 traces could not be mapped"):
        call_command("remap_spans", project=exporter.project.slug, stdout=out)

    assert "1 spans in 1 traces were mapped again." in out.getvalue()
    assert sorted(request.model or "" for request in exporter.requests()) == ["gpt-test", "wrong"]
    with pytest.raises(CommandError, match="no project"):
        call_command("remap_spans", project="nobody")
