"""A few items and many are written in different ways, which must leave the very same rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from msgspec.structs import replace

from requests_log import store
from requests_log.calls import Item
from requests_log.store import FEW, KINDS
from tests.requests_log.factories import make_call, make_score, make_span, store_calls
from workbench.core.ids import uuid7
from workbench.core.models import Project

WHEN = datetime(2026, 3, 4, 5, 6, 7, 890123, tzinfo=UTC)
BARE: dict[str, Any] = {"provider": None, "model": None, "response": None}
FULL: dict[str, Any] = {
    "duration_ms": 1.25,
    "ttft_ms": 0.5,
    "http_status": 503,
    "error_type": "busy",
    "error_message": "ö\ud800" + "x" * 11_000,
    "prompt_name": "triage",
    "prompt_version": 3,
    "variables": b'{"name": "\\u0000"}',
    "tags": {"route": "check\x00out", "Größe": "groß"},
    "end_user": "用户",
    "session": "s",
    "key_id": 7,
    "altered": ("model",),
    "redaction": 2,
    "request": b'{"a": "' + b"long " * 4000 + b'"}',
}
SCORES: list[dict[str, Any]] = [{"value": "text\x00"}, {"value": 0.1}, {"trace_id": "t"}]


def calls(project: Project) -> list[Item]:
    return [make_call(project, **fields, started_at=WHEN) for fields in (FULL, BARE, {})]


def spans(project: Project) -> list[Item]:
    bare = {"input": None, "output": None}
    return [make_span(project, **fields, started_at=WHEN) for fields in (bare, {"key_id": 1}, {})]


def scores(project: Project) -> list[Item]:
    return [make_score(project, **fields, at=WHEN) for fields in SCORES]


@pytest.mark.parametrize("make", [calls, spans, scores])
def test_few_and_many_leave_the_same_rows(
    project: Project,
    make: Callable[[Project], list[Item]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    items = make(project)
    store_calls(items)
    by_insert = _rows(project, items)
    again = [replace(item, id=uuid7()) for item in items]
    monkeypatch.setattr(store, "FEW", 0)
    store_calls(again)

    assert len(items) <= FEW
    assert [len(rows) for rows in by_insert] == [len(items)] * len(by_insert)
    assert _rows(project, again) == by_insert


@pytest.mark.parametrize("count", [1, 2, FEW, FEW + 1])
def test_any_number_is_stored_and_known_again(project: Project, count: int) -> None:
    sent = [make_call(project) for _ in range(count)]

    first, second = store_calls(sent), store_calls(sent)

    assert {outcome.verdict for outcome in first} == {"accepted"}
    assert {outcome.verdict for outcome in second} == {"duplicate"}


def _rows(project: Project, items: list[Item]) -> list[list[tuple[Any, ...]]]:
    """What stands in each table for these items, in their order, but for the ids."""
    found = []
    for table in KINDS[type(items[0])].tables:
        columns = ", ".join(name for name in table.columns if name != "id") + ", id"
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {columns} FROM {table.name} WHERE project_id = %s AND id = ANY(%s)",  # noqa: S608
                [project.pk, [item.id for item in items]],
            )
            rows = {row[-1]: row[:-1] for row in cursor.fetchall()}
        found.append([rows[item.id] for item in items])
    return found
