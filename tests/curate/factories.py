"""Logged requests, datasets and rows with valid defaults."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from django.db import connection

from requests_log.datasets.actions import add_examples, create_dataset
from requests_log.datasets.models import Dataset
from requests_log.digest.derive import Source, derive
from requests_log.digest.rows import INSERT, values_of
from requests_log.models import LoggedScore, RequestBody, RequestRow, RequestTags
from requests_log.textindex import sealing
from workbench.core.ids import uuid7
from workbench.core.models import Project

MORNING = datetime(2026, 11, 21, 8, tzinfo=UTC)
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)

# What a vacuum leaves behind that comes by while many rows are being written.
SEEN_EMPTY = """
UPDATE pg_class SET reltuples = 0, relpages = 100
WHERE oid IN ('datasets_content'::regclass, 'datasets_example'::regclass)
   OR oid IN (SELECT indexrelid FROM pg_index WHERE indrelid IN
              ('datasets_content'::regclass, 'datasets_example'::regclass))
"""


def make_row(question: str = "What is 2+2?", answer: str = "4", **more: Any) -> dict[str, Any]:
    messages = [
        {"role": "system", "content": "Answer briefly."},
        {"role": "user", "content": question},
        {"role": "assistant", "content": answer},
    ]
    return {"messages": messages, **more}


def make_dataset(project: Project, *, name: str = "Answers", rows: int = 0) -> Dataset:
    dataset = create_dataset(project, name=name, by=None)
    if rows:
        add_examples(dataset, rows=[make_row(f"Question {number}?") for number in range(rows)])
    return dataset


def make_request(
    project: Project,
    *,
    at: datetime = MORNING,
    question: str = "What is 2+2?",
    answer: str | None = "4",
    request: dict[str, Any] | None = None,
    response: dict[str, Any] | None = None,
    **facts: Any,
) -> RequestRow:
    """A logged and digested chat request, as ingest and digest leave it."""
    asked = request or {
        "model": "gpt-x",
        "temperature": 0,
        "messages": [
            {"role": "system", "content": "Answer briefly."},
            {"role": "user", "content": question},
        ],
    }
    message = {"role": "assistant", "content": answer}
    usage = {"prompt_tokens": 20, "completion_tokens": 5}
    answered = response or {
        "model": facts.get("model", "gpt-x-2026"),
        "choices": [{"message": message, "finish_reason": "stop"}],
        "usage": usage,
    }
    return store_request(
        project,
        at=at,
        request=json.dumps(asked).encode(),
        response=None if answer is None else json.dumps(answered).encode(),
        **facts,
    )


def store_request(
    project: Project, *, at: datetime, request: bytes, response: bytes | None, **facts: Any
) -> RequestRow:
    """The rows of one request around its raw bytes."""
    defaults: dict[str, Any] = {
        "operation": "chat",
        "status": "ok",
        "model": "gpt-x",
        "provider": "openai",
        "source": "sdk",
        "duration_ms": 812.0,
    }
    values = defaults | facts
    tags = values.pop("tags", {})
    id_ = uuid7(at)
    row = RequestRow.objects.create(
        id=id_, project=project, started_at=at, request_size=len(request), **values
    )
    RequestTags.objects.create(id=id_, project=project, tags=tags)
    RequestBody.objects.create(
        id=id_,
        project=project,
        codec="raw",
        request=request,
        request_sha256=sha256(request).digest(),
        response=response,
        response_sha256=None if response is None else sha256(response).digest(),
    )
    source = Source(
        values["operation"], values["provider"], values["model"], request, response, None
    )
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [project.pk, id_, *values_of(derive(source))])
    sealing.wait([(project.pk, id_)])
    return row


def make_requests(project: Project, count: int, **facts: Any) -> list[RequestRow]:
    """Requests a minute apart, oldest first."""
    return [
        make_request(project, at=MORNING + timedelta(minutes=n), question=f"Question {n}?", **facts)
        for n in range(count)
    ]


def make_score(
    project: Project,
    name: str,
    *,
    number: float | None = None,
    label: str | None = None,
    request: RequestRow | None = None,
    **facts: Any,
) -> LoggedScore:
    """A person's score of a request or, with `trace_id`, of a trace."""
    return LoggedScore.objects.create(
        id=uuid7(),
        project=project,
        at=MORNING,
        name=name,
        data_type="number" if label is None else "text",
        number=number,
        label=label,
        origin="human",
        request_id=None if request is None else request.id,
        **facts,
    )
