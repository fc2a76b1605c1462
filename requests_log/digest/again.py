"""Making digests again: after the derivation changed, or a price did.

Requests go through the outbox in small parts, oldest first, so that a job that is killed goes on
where it stood, and calls that arrive meanwhile wait for one part at most.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from requests_log.digest import prices
from requests_log.digest.derive import VERSION
from requests_log.digest.run import digest_once
from workbench.core.models import Job, Project, User
from workbench.core.queue import JobKind, RunningJob

REDERIVE = JobKind("requests_log.rederive")
PART = 500
MOST_ROUNDS = 50
"""Rounds of the digest one part may take; what is left stays in the outbox for the worker."""

# Digests of a part that were made since the job was asked for are found done.
_WANTED = """
FROM requests_log_digest d
JOIN requests_log_request r ON r.project_id = d.project_id AND r.id = d.id
WHERE (%(project)s::bigint IS NULL OR d.project_id = %(project)s)
  AND d.digested_at < %(asked)s
  AND (%(version)s::int IS NULL OR d.digest_version < %(version)s)
  AND (%(provider)s::text IS NULL OR r.provider = %(provider)s)
  AND (%(model)s::text IS NULL OR %(model)s IN (
        coalesce(d.model_used, r.model),
        regexp_replace(coalesce(d.model_used, r.model), '-(\\d{4}-\\d{2}-\\d{2}|\\d{8})$', '')))
  AND (%(since)s::timestamptz IS NULL OR r.started_at >= %(since)s)
"""
_COUNT = f"SELECT count(*) {_WANTED}"
_PART = f"SELECT d.project_id, d.id {_WANTED} AND (d.id, d.project_id) > (%(id)s, %(owner)s)"
_QUEUE = f"""
WITH part AS (
    {_PART}
    ORDER BY d.id, d.project_id LIMIT %(limit)s
), queued AS (
    INSERT INTO requests_log_undigested (project_id, id) SELECT project_id, id FROM part
    ON CONFLICT (id, project_id)
    DO UPDATE SET attempts = 0, failed_at = NULL, error = '', retry_at = now()
)
SELECT project_id, id FROM part ORDER BY id, project_id
"""  # noqa: S608 - constants
_LEFT = """
SELECT count(*) FROM requests_log_undigested u
JOIN unnest(%s::bigint[], %s::uuid[]) AS part (project_id, id)
  ON u.project_id = part.project_id AND u.id = part.id
WHERE u.failed_at IS NULL AND u.retry_at <= now()
"""


@dataclass(frozen=True, kw_only=True)
class Which:
    """Which digests are made again; a part that is None does not narrow them."""

    older_than: int | None = None
    provider: str | None = None
    model: str | None = None
    since: datetime | None = None

    def to_payload(self) -> dict[str, Any]:
        since = None if self.since is None else self.since.isoformat()
        return {
            "version": self.older_than,
            "provider": self.provider,
            "model": self.model,
            "since": since,
        }


OUTDATED = Which(older_than=VERSION)
"""Digests that an older version of the derivation made."""


def rederive(project: Project | None, *, which: Which, title: str, by: User | None) -> Job:
    """Ask for digests to be made again, in a project or everywhere."""
    return REDERIVE.enqueue(project=project, title=title, by=by, payload=which.to_payload())


def count(project: Project | None, *, which: Which, asked: datetime) -> int:
    """How many digests that would be."""
    wanted = which.to_payload() | {"project": None if project is None else project.pk}
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, wanted | {"asked": asked})
        return int(cursor.fetchone()[0])


def perform_rederive(running: RunningJob) -> dict[str, Any]:
    """Do the job, or the rest of it after a crash."""
    prices.load()
    job = running.job
    wanted: dict[str, Any] = {**running.payload, "project": job.project_id}
    wanted["asked"] = job.created_at
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, wanted)
        total = int(cursor.fetchone()[0])
    done = 0
    last: tuple[int, UUID] = (0, UUID(int=0))
    running.progress(0, total)
    while part := _queue_part(wanted, last):
        _digest(part)
        last = part[-1]
        done += len(part)
        running.progress(min(done, total), total)
    return {"rederived": done}


def _queue_part(wanted: dict[str, Any], after: tuple[int, UUID]) -> list[tuple[int, UUID]]:
    """Put the next requests back into the outbox; returns them."""
    bounds: dict[str, Any] = {"owner": after[0], "id": after[1], "limit": PART}
    with connection.cursor() as cursor:
        cursor.execute(_QUEUE, wanted | bounds)
        return [(row[0], row[1]) for row in cursor.fetchall()]


def _digest(part: list[tuple[int, UUID]]) -> None:
    """Digest until the part is through; other workers may take some of it."""
    for _ in range(MOST_ROUNDS):
        digest_once(PART)
        with connection.cursor() as cursor:
            cursor.execute(_LEFT, [[one[0] for one in part], [one[1] for one in part]])
            if cursor.fetchone() == (0,):
                return
