from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from requests_log.otlp.spans import OtelSpan, from_raw
from tests.otlp.conftest import Exporter
from tests.otlp.spans import make_span
from workbench.core.models import Project


def page_of(client: Client, project: Project, trace_id: str) -> str:
    answer = client.get(f"/p/{project.slug}/log/trace/", {"id": trace_id})
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_page_of_a_trace_shows_requests_and_steps(
    alice: Client, project: Project, agent: list[OtelSpan]
) -> None:
    page = page_of(alice, project, agent[0].trace_id)

    for span in agent[:4]:
        assert (span.name if span.name != "chat gpt-4o-mini" else "gpt-4o-mini") in page
    assert "trace of 7 steps" in page
    assert "The order system timed out." in page
    assert page.count("trace--request") == 3
    assert "not received" not in page


def test_a_request_shows_its_trace_beside_its_transcript(
    alice: Client, project: Project, agent: list[OtelSpan], exporter: Exporter
) -> None:
    request = exporter.requests()[0]

    page = alice.get(f"/p/{project.slug}/log/{request.id}/", {"tab": "trace"}).content.decode()

    assert "support agent" in page
    assert f'id="row-{request.id}" class="trace--request is-open"' in page


def test_the_raw_view_of_a_request_says_that_it_was_put_together(
    alice: Client, project: Project, agent: list[OtelSpan], exporter: Exporter
) -> None:
    address = f"/p/{project.slug}/log/{exporter.requests()[0].id}/"

    page = alice.get(address, {"tab": "raw"}).content.decode()
    span = alice.get(f"{address}raw/span/").content

    assert "put together from the span" in page
    assert "as OpenTelemetry sent it" in page
    assert from_raw(span).span_id in {one.span_id for one in agent}


def test_a_trace_without_a_request_has_a_page_too(
    alice: Client, project: Project, exporter: Exporter
) -> None:
    span = make_span(name="nightly clean-up")
    exporter.export(span)

    page = page_of(alice, project, span.trace_id)

    assert "nightly clean-up" in page
    assert "trace of 1 step<" in page


def test_a_missing_parent_is_shown_until_it_arrives(
    alice: Client, project: Project, agent: list[OtelSpan], exporter: Exporter
) -> None:
    late = make_span(name="root that came late", span_id="ab" * 8)
    exporter.export(make_span(name="child", parent_id=late.span_id))
    assert "not received" in page_of(alice, project, late.trace_id)

    exporter.export(late)

    page = page_of(alice, project, late.trace_id)
    assert "not received" not in page
    assert page.index("root that came late</a>") < page.index("child</a>")


@pytest.mark.parametrize("where", ["", "inspect/"])
def test_a_step_shows_what_went_in_and_came_out(
    alice: Client, project: Project, agent: list[OtelSpan], where: str
) -> None:
    answer = alice.get(f"/p/{project.slug}/log/span/{agent[1].id}/{where}")

    page = answer.content.decode()
    assert answer.status_code == 200
    assert "Where is my refund?" in page
    assert "It is underway." in page
    assert "openinference.span.kind" in page
    assert "As OpenTelemetry sent it" in page


def test_other_peoples_traces_are_not_found(
    alice: Client, agent: list[OtelSpan], project: Project
) -> None:
    assert Client().get(f"/p/{project.slug}/log/span/{agent[1].id}/").status_code == 302
    assert alice.get(f"/p/{project.slug}/log/trace/", {"id": "nothing"}).status_code == 404
    assert alice.get(f"/p/{project.slug}/log/trace/").status_code == 404


def test_a_thousand_steps_take_as_many_queries_as_seven(
    alice: Client, project: Project, agent: list[OtelSpan], exporter: Exporter
) -> None:
    root = make_span(name="root", trace_id="cd" * 16)
    steps: list[Any] = [root]
    for number in range(1000):
        parent = steps[number // 3]
        steps.append(make_span(name=f"s{number}", trace_id="cd" * 16, parent_id=parent.span_id))
    exporter.export(*steps)

    with CaptureQueriesContext(
        connection,
    ) as few:
        page_of(alice, project, agent[0].trace_id)
    with CaptureQueriesContext(connection) as many:
        page = page_of(alice, project, root.trace_id)

    assert len(many) == len(few) <= 15
    assert page.count("data-row") == 1001
