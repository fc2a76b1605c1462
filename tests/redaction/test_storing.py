"""A policy is applied before anything is stored, on every road into the log."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import zstandard
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from requests_log import batcher, bodies
from requests_log.calls import Call, Score, Span, Verdict
from requests_log.digest.run import digest_once
from requests_log.models import LoggedRequest, body_of
from requests_log.redaction.actions import save_policy
from requests_log.redaction.hook import redact_items, redact_items_now
from requests_log.redaction.items import WITHHELD_BODY, redacted
from requests_log.redaction.models import PolicyVersion, Withheld
from requests_log.redaction.rules import Place
from tests.redaction.applying import make_ruleset
from tests.redaction.conftest import make_policy
from tests.requests_log.conftest import TABLES, Sender
from tests.requests_log.factories import make_call, make_event
from workbench.core.hotpool import open_pool
from workbench.core.ids import uuid7
from workbench.core.models import Project
from workbench.gateway.logbook import Logbook
from workbench.gateway.spool import Spool, read_calls

pytestmark = pytest.mark.usefixtures("transactional_db")

CANARY = "zq-4711-qz"
CANARIES = [{"name": "canary", "pattern": r"zq-\d+-qz", "label": "CANARY"}]
TRACE = "0af7651916cd43dd8448eb211c80319c"


def everything_stored(project: Project) -> Iterator[str]:
    """Every value of every row of the project in the log's tables, opened, as text."""
    for table in TABLES:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {table} WHERE project_id = %s", [project.pk])  # noqa: S608
            for row in cursor.fetchall():
                yield from map(_opened, row)


def _opened(value: Any) -> str:
    if isinstance(value, memoryview | bytes):
        raw = bytes(value)
        if raw.startswith(zstandard.FRAME_HEADER):
            raw = zstandard.ZstdDecompressor().decompress(raw)
        return raw.decode("utf-8", "replace")
    return str(value)


def stored_body(project: Project, request_id: str) -> bodies.Bodies:
    found = body_of(project, UUID(request_id))
    assert found is not None
    return bodies.read(found)


def planted_events() -> list[dict[str, Any]]:
    everywhere = {
        "tags": {"t": f"x {CANARY}"},
        "user": CANARY,
        "session": f"s {CANARY}",
        "error": {"type": f"E{CANARY}", "message": f"boom {CANARY}"},
        "prompt": {"name": CANARY, "version": 1, "variables": {"v": [CANARY]}},
        "environment": CANARY,
        "release": CANARY,
        "source": CANARY,
        "trace": {"trace_id": f"trace {CANARY}", "span_id": "b" * 16},
    }
    content = {"role": "user", "content": f"my id is {CANARY}, " + "please " * 100}
    call = {"name": "f", "arguments": json.dumps({"id": CANARY})}
    at = timezone.now().isoformat()
    return [
        make_event(
            **everywhere,
            model=CANARY,
            request={"model": "m", "messages": [content], "metadata": {"a": CANARY}},
            response={"choices": [{"message": {"role": "assistant", "tool_calls": [call]}}]},
        ),
        {
            "type": "span", "id": str(uuid7()), "name": f"step {CANARY}", "started_at": at,
            "input": {"a": CANARY}, "output": CANARY, "attributes": {"x": CANARY}, **everywhere,
        },
        {
            "type": "score", "id": str(uuid7()), "name": f"n {CANARY}", "value": CANARY, "at": at,
            "comment": f"c {CANARY}", "author": CANARY, "trace_id": TRACE,
        },
    ]  # fmt: skip


def test_a_planted_secret_is_in_no_row(sender: Sender) -> None:
    make_policy(sender.project, patterns=CANARIES)

    answer = sender.send(*planted_events(), dropped={f"queue full {CANARY}": 2})
    digest_once()

    assert answer["accepted"] == 3, answer
    values = list(everything_stored(sender.project))
    assert any("[CANARY]" in value for value in values)
    assert not any(CANARY in value for value in values)
    logged = LoggedRequest.objects.in_project(sender.project).get()
    assert logged.is_digested
    assert logged.redaction == 1


def test_a_planted_secret_is_not_in_quarantine(sender: Sender) -> None:
    make_policy(sender.project, patterns=CANARIES)
    refused = make_call(
        sender.project, status="nonsense", request=f'{{"a":"{CANARY}"}}'.encode(), end_user=CANARY
    )

    outcome = asyncio.run(submitted([refused]))[0]

    assert outcome.verdict is Verdict.REJECTED
    values = list(everything_stored(sender.project))
    assert any("[CANARY]" in value for value in values)
    assert not any(CANARY in value for value in values)


async def submitted(items: list[Any]) -> Any:
    pool = await open_pool()
    taking = batcher.Batcher(pool, batcher.Limits.from_settings())
    try:
        return await taking.submit(items)
    finally:
        await taking.close()
        await pool.close()


def test_a_planted_secret_is_not_in_the_spool(project: Project, tmp_path: Path) -> None:
    make_policy(project, patterns=CANARIES)
    call = make_call(project, request=f'{{"a":"{CANARY}"}}'.encode(), session=CANARY)

    asyncio.run(recorded(call, tmp_path))

    (file,) = tmp_path.glob("*.jsonl")
    (kept,) = read_calls(file)
    assert kept.request == b'{"a":"[CANARY]"}'
    assert (kept.session, kept.redaction) == ("[CANARY]", 1)
    content = file.read_text()
    assert CANARY not in content
    assert base64.b64encode(CANARY.encode()).decode()[1:-4] not in content


async def recorded(call: Call, folder: Path) -> None:
    """Record it where no batcher is open, so that it goes to disk."""
    logbook = Logbook(Spool(folder))
    await logbook.record(lambda: call)
    await logbook.close()


def test_without_a_policy_the_bytes_stay(sender: Sender) -> None:
    event = make_event(request={"a": "ann@x.example"})

    sender.send(event)

    assert b"ann@x.example" in stored_body(sender.project, event["id"]).request
    assert LoggedRequest.objects.in_project(sender.project).get().redaction == 0


def test_a_new_version_counts_from_the_next_call_on(sender: Sender) -> None:
    versions = []
    for rules in ({"email": "label"}, {"email": "hash"}, {}):
        save_policy(
            sender.project, document={"detectors": rules}, enabled=bool(rules), note="", by=None,
            at=timezone.now(),
        )  # fmt: skip
        sender.send(make_event(request={"a": "ann@x.example"}))
        versions.append(
            LoggedRequest.objects.in_project(sender.project).newest_first()[0].redaction
        )

    assert versions == [1, 2, 0]


def test_only_the_chosen_places_are_looked_through(project: Project) -> None:
    ruleset = make_ruleset(places=[Place.RESPONSE])
    call = make_call(
        project, request=b'{"a":"ann@x.example"}', response=b'"ann@x.example"',
        end_user="ann@x.example",
    )  # fmt: skip

    kept, withheld = redacted(call, ruleset)

    assert (kept.request, kept.response) == (call.request, b'"[EMAIL]"')
    assert (kept.end_user, withheld) == ("ann@x.example", [])


def test_plain_trace_ids_stay_and_others_still_join(project: Project) -> None:
    ruleset = make_ruleset()
    span = Span(
        project_id=project.pk, id=uuid7(), started_at=timezone.now(), name="n",
        trace_id="of ann@x.example", span_id="4111111111111111",
    )  # fmt: skip
    score = Score(
        project_id=project.pk, id=uuid7(), at=timezone.now(), name="n", value=1.0,
        trace_id="of ann@x.example",
    )  # fmt: skip

    kept, kept_score = redacted(span, ruleset)[0], redacted(score, ruleset)[0]

    assert kept.span_id == "4111111111111111"
    assert "ann@" not in kept.trace_id
    assert kept.trace_id == kept_score.trace_id != "of [EMAIL]"


def test_a_policy_that_cannot_be_applied_withholds_content(sender: Sender) -> None:
    PolicyVersion.objects.create(
        project=sender.project, number=1, enabled=True, document={"detectors": {"gone": "label"}}
    )
    event = make_event(request={"a": CANARY}, user=CANARY, tags={"t": CANARY}, duration_ms=5.0)

    answer = sender.send(event)
    digest_once()

    assert answer["accepted"] == 1
    assert not any(CANARY in value for value in everything_stored(sender.project))
    assert stored_body(sender.project, event["id"]).request == WITHHELD_BODY
    logged = LoggedRequest.objects.in_project(sender.project).get()
    assert (logged.duration_ms, logged.redaction, logged.is_digested) == (5.0, 1, True)
    assert Withheld.objects.in_project(sender.project).total() == 1


def test_a_part_that_is_too_long_is_withheld_alone(project: Project) -> None:
    huge = b'"' + b"a" * (33 << 20) + b'"'
    call = make_call(project, request=b'{"a":"ann@x.example"}', response=huge)

    kept, reasons = redacted(call, make_ruleset())

    assert (kept.request, kept.response) == (b'{"a":"[EMAIL]"}', WITHHELD_BODY)
    assert reasons == ["it is too long"]


def test_jobs_redact_with_the_same_policy(project: Project) -> None:
    make_policy(project, patterns=CANARIES)
    call = make_call(project, session=CANARY)

    (in_job,) = redact_items_now([call])
    (in_loop,) = asyncio.run(redacting([call]))

    assert in_job == in_loop
    assert in_job.session == "[CANARY]"
    assert redact_items_now([in_job])[0] is in_job


async def redacting(items: list[Call]) -> list[Call]:
    return [*await redact_items(items)]


def test_large_items_are_redacted_in_a_thread_alike(project: Project) -> None:
    make_policy(project, detectors={"email": "label"})
    long = json.dumps({"a": "ann@x.example " * 20_000}).encode()

    (kept,) = asyncio.run(redacting([make_call(project, request=long)]))

    assert kept.request == long.replace(b"ann@x.example", b"[EMAIL]")


def test_versions_never_change(project: Project) -> None:
    version = make_policy(project)

    changes: list[dict[str, Any]] = [
        {"document": {}}, {"number": 5}, {"enabled": False}, {"note": "x"},
    ]  # fmt: skip
    for change in changes:
        with pytest.raises(IntegrityError, match="save a new one"), transaction.atomic():
            PolicyVersion.objects.filter(pk=version.pk).update(**change)
    assert PolicyVersion.objects.filter(pk=version.pk).update(author=None) == 1


def test_saving_the_same_again_makes_no_version(project: Project) -> None:
    first = make_policy(project)

    again = make_policy(project)
    off = make_policy(project, enabled=False)

    assert (again.number, off.number) == (first.number, first.number + 1)
