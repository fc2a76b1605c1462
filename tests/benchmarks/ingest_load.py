"""Batches of calls of about 5 KB, as a client sends them and as rows ready to be copied."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import psycopg

WORDS = ("refund", "order", "parcel", "late", "address", "invoice", "please", "thanks", "card")
SAMPLES = 200
PLAIN = "CREATE TABLE bench_plain (id uuid PRIMARY KEY, request bytea, response bytea)"
COPY_PLAIN = "COPY bench_plain (id, request, response) FROM STDIN (FORMAT binary)"
Blocks = list[tuple[str, bytes]]
"""One transaction: COPY statements and what they read."""


def payload(chooser: random.Random) -> tuple[dict[str, Any], dict[str, Any]]:
    """A request and a response of about 5 KB together, of words no compressor has seen twice."""

    def text(length: int) -> str:
        return " ".join(f"{chooser.choice(WORDS)}{chooser.randrange(999)}" for _ in range(length))

    messages = [{"role": role, "content": text(90)} for role in ("system", "user", "assistant")]
    request = {
        "model": "gpt-4o-mini",
        "messages": [*messages, {"role": "user", "content": text(90)}],
    }
    message = {"role": "assistant", "content": text(80)}
    usage = {"prompt_tokens": 900, "completion_tokens": 200}
    return request, {"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}


def event(payloads: tuple[dict[str, Any], dict[str, Any]]) -> dict[str, Any]:
    from workbench.core.ids import uuid7

    return {
        "id": str(uuid7()),
        "type": "request",
        "started_at": datetime.now(UTC).isoformat(),
        "operation": "chat",
        "provider": "openai",
        "model": "gpt-4o-mini",
        "duration_ms": 812.4,
        "request": payloads[0],
        "response": payloads[1],
        "tags": {"route": "checkout", "tier": "gold"},
        "prompt": {"name": "triage", "version": 3},
        "environment": "production",
    }


def batches(calls: int, *, size: int) -> list[bytes]:
    """HTTP bodies with new ids; the texts repeat after a while."""
    chooser = random.Random(calls)
    samples = [payload(chooser) for _ in range(SAMPLES)]
    return [
        json.dumps({"events": [event(chooser.choice(samples)) for _ in range(size)]}).encode()
        for _ in range(calls // size)
    ]


def rows_as_stored(body: bytes, project_id: int) -> Blocks:
    """A batch as the product stores it: every table, compressed and hashed."""
    from requests_log import encoding
    from requests_log.calls import Call
    from requests_log.ingest.envelope import open_envelope
    from requests_log.ingest.events import read_event

    now = datetime.now(UTC)
    calls = [
        read_event(raw, project_id=project_id, key_id=None, at=now)
        for raw in open_envelope(body, b"")[0]
    ]
    rows = [encoding.encode(call) for call in calls if isinstance(call, Call)]
    return [(table.statement, table.block(rows)) for table in encoding.TABLES]


def rows_as_sent(body: bytes) -> Blocks:
    """A batch as rows of one table: the id and the raw bytes, for Postgres to compress."""
    from requests_log import wire_rows as wire
    from requests_log.calls import Call
    from requests_log.ingest.envelope import open_envelope
    from requests_log.ingest.events import read_event

    now = datetime.now(UTC)
    rows = []
    for raw in open_envelope(body, b"")[0]:
        call = read_event(raw, project_id=0, key_id=None, at=now)
        assert isinstance(call, Call)
        fields = [wire.uuid(call.id), wire.binary(call.request), wire.binary(call.response)]
        rows.append(wire.row(fields))
    return [(COPY_PLAIN, wire.block(rows))]


def copy(connection: psycopg.Connection[Any], blocks: Blocks) -> None:
    """One transaction of the bare baseline."""
    with connection.cursor() as cursor:
        for statement, block in blocks:
            with cursor.copy(statement) as copying:
                copying.write(block)
    connection.commit()


def copy_all(connection: psycopg.Connection[Any], every: Sequence[Blocks]) -> None:
    for blocks in every:
        copy(connection, blocks)
