"""Spans as they came, kept beside what was made of them, so that it can be made again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from requests_log.bodies import SMALLEST_WORTH_COMPRESSING, compress
from requests_log.models import Codec
from requests_log.otlp.mapping import VERSION, Mapped, Origin, Place
from requests_log.otlp.spans import OtelSpan, from_raw, to_raw
from requests_log.redaction.engine import Work, redacted_body
from requests_log.redaction.items import WITHHELD_BODY
from requests_log.redaction.policies import Unusable, policy_of
from requests_log.redaction.rules import Ruleset

logger = logging.getLogger(__name__)

Connection = AsyncConnection[Any]

# From rows that are stored, because what is in them went through redaction.
SAY_WHOSE = """
UPDATE requests_log_request r SET
    end_user = coalesce(r.end_user, s.end_user), session = coalesce(r.session, s.session)
FROM requests_log_span s
WHERE s.project_id = %s AND s.trace_id = ANY(%s) AND s.parent_id IS NULL
    AND r.project_id = s.project_id AND r.trace_id = s.trace_id
    AND (s.id = ANY(%s) OR r.id = ANY(%s))
    AND (r.end_user IS NULL AND s.end_user IS NOT NULL
         OR r.session IS NULL AND s.session IS NOT NULL)
"""
KNOWN = "SELECT id FROM requests_log_otlp_span WHERE project_id = %s AND id = ANY(%s)"
WRAPPING = """
SELECT DISTINCT trace_id, parent_id FROM requests_log_request
WHERE project_id = %s AND trace_id = ANY(%s) AND parent_id = ANY(%s)
"""
KEEP = """
INSERT INTO requests_log_otlp_span
    (project_id, key_id, mapping_version, id, trace_id, redaction, codec, raw)
SELECT %s, %s, %s, * FROM unnest(%s::uuid[], %s::text[], %s::smallint[], %s::text[], %s::bytea[])
ON CONFLICT DO NOTHING
"""


async def known(connection: Connection, project_id: int, spans: Sequence[OtelSpan]) -> set[UUID]:
    """Ids of the spans that were stored before."""
    cursor = await connection.execute(KNOWN, [project_id, [span.id for span in spans]])
    return {row[0] for row in await cursor.fetchall()}


async def wrapping(
    connection: Connection, project_id: int, spans: Sequence[OtelSpan]
) -> set[Place]:
    """Which of the spans lie directly around a call that is stored already."""
    traces = list({span.trace_id for span in spans})
    cursor = await connection.execute(
        WRAPPING, [project_id, traces, [span.span_id for span in spans]]
    )
    return {(row[0], row[1]) for row in await cursor.fetchall()}


@dataclass(frozen=True, slots=True)
class Kept:
    """A span as it may be kept: `raw` has been through the redaction policy of that number."""

    id: UUID
    trace_id: str
    redaction: int
    raw: bytes


async def redacted(origin: Origin, mapped: Sequence[Mapped]) -> list[Kept]:
    """The spans as they may be kept.

    A policy is applied to all of a span, whichever places it covers: where in a span a
    convention has put something cannot be told beforehand.

    Raises:
        PolicyUnknown: the database is away and it is not known which policy applies.
    """
    policy = await policy_of(origin.project_id)
    spans = [one.span for one in mapped]
    if policy is None:
        return [Kept(span.id, span.trace_id, 0, to_raw(span)) for span in spans]
    return await asyncio.to_thread(lambda: [_redacted(span, policy) for span in spans])


async def keep(connection: Connection, origin: Origin, spans: Sequence[Kept]) -> None:
    """Keep the spans; those kept before stay as they are."""
    if spans:
        columns = [list(column) for column in zip(*map(_row, spans), strict=True)]
        await connection.execute(KEEP, [origin.project_id, origin.key_id, VERSION, *columns])


async def say_whose(connection: Connection, origin: Origin, spans: Sequence[Kept]) -> None:
    """Give calls that name neither user nor session those of their trace's first step.

    The spans may be the calls or the first step: whichever comes later finds the other.
    """
    ids, traces = [span.id for span in spans], list({span.trace_id for span in spans})
    await connection.execute(SAY_WHOSE, [origin.project_id, traces, ids, ids])


def _redacted(span: OtelSpan, policy: Ruleset | Unusable) -> Kept:
    raw = WITHHELD_BODY if isinstance(policy, Unusable) else _apply(span, policy)
    return Kept(span.id, span.trace_id, policy.number, raw)


def _apply(span: OtelSpan, policy: Ruleset) -> bytes:
    """The redacted document, with its place in the trace as it was: hexadecimal ids, no content."""
    try:
        done = from_raw(redacted_body(to_raw(span), Work(policy)))
    except Exception as problem:
        logger.warning("A raw span was withheld", extra={"problem": type(problem).__name__})
        return WITHHELD_BODY
    ids = {name: getattr(span, name) for name in ("trace_id", "span_id", "parent_id")}
    return to_raw(msgspec.structs.replace(done, **ids))


def _row(kept: Kept) -> tuple[UUID, str, int, str, bytes]:
    small = len(kept.raw) < SMALLEST_WORTH_COMPRESSING
    stored = (Codec.RAW.value, kept.raw) if small else (Codec.ZSTD.value, compress(kept.raw))
    return (kept.id, kept.trace_id, kept.redaction, *stored)
