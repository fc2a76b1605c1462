from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from django.db import connection

from requests_log import bodies
from requests_log.otlp.spans import from_raw
from tests.otlp.conftest import Exporter
from tests.otlp.spans import make_span
from tests.redaction.conftest import make_policy, project
from workbench.core.models import Project

__all__ = ["project"]
MAIL = "somebody@example.com"
ASKED = {"role": "user", "content": f"I am {MAIL}."}


@pytest.fixture
def careful(project: Project) -> Iterator[Project]:
    """A project whose policy takes out addresses of e-mail."""
    make_policy(project)
    yield project
    connection.close()


def test_what_a_policy_takes_out_is_in_no_table(exporter: Exporter, careful: Project) -> None:
    call = make_span(
        {
            "openinference.span.kind": "LLM",
            "input.value": json.dumps({"model": "m", "messages": [ASKED]}),
            "user.id": MAIL,
        }
    )
    step = make_span({"note": MAIL}, status=2, status_message=f"No such user: {MAIL}")

    exporter.export(call, step)

    (request,), (span,) = exporter.requests(), exporter.spans()
    documents = bodies.read_span(span)
    raws = [bodies.decompress(one.raw, one.codec) for one in exporter.raw()]
    told = [*exporter.bodies(), request.messages, request.end_user, span.error_message]
    assert MAIL not in str([*told, documents, *raws])
    assert "EMAIL" in str(raws)
    assert {one.redaction for one in exporter.raw()} == {request.redaction} == {1}
    assert {from_raw(raw).span_id for raw in raws} == {call.span_id, step.span_id}
