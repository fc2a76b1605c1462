"""Giving selected requests a score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from requests_log.bulk.actions import start
from requests_log.bulk.kinds import CHANGED, BulkKind
from requests_log.bulk.models import BulkAction, BulkChange
from requests_log.calls import Score
from requests_log.feedback.scoring import Opinion, redacted
from requests_log.models import ScoreOrigin
from requests_log.selection import Selection
from requests_log.trace_rows import value_of_score
from workbench.core.ids import uuid7
from workbench.core.models import Project, User

_SCORE = """
WITH given AS (
    INSERT INTO requests_log_score (project_id, id, at, request_id, name, data_type, number, label,
                                    origin, author, comment, redaction)
    SELECT r.project_id, one.score, %(at)s, r.id, %(name)s, %(data_type)s, %(number)s, %(label)s,
           %(origin)s, %(author)s, %(comment)s, %(redaction)s
    FROM unnest(%(ids)s::uuid[], %(scores)s::uuid[]) AS one (id, score)
    JOIN requests_log_request r ON r.project_id = %(project)s AND r.id = one.id
        AND r.id BETWEEN %(low)s AND %(high)s
    RETURNING id
), kept AS (
    INSERT INTO requests_log_bulk_change (action_id, low, high, ids, before)
    SELECT %(action)s, %(low)s, %(high)s, array_agg(id), '{}' FROM given HAVING count(*) > 0
)
SELECT count(*) FROM given
"""
_TAKE_BACK = """
DELETE FROM requests_log_score
WHERE project_id = %(project)s AND id = ANY(%(scores)s) AND edited_at IS NULL
"""


def sentence_of(opinion: Opinion) -> str:
    """What such a score says, for people."""
    value = opinion.value
    shown = ("yes" if value else "no") if isinstance(value, bool) else value
    return f"Score {opinion.name}: {shown}"


def score_requests(
    project: Project, *, selection: Selection, opinion: Opinion, by: User | None, at: datetime
) -> BulkAction:
    """Give the selected requests a score, as a reviewer's; beyond a thousand a job does it.

    Raises:
        InvalidInput: the selection's query has a problem.
    """
    return start(
        project,
        kind=SCORE,
        title=sentence_of(opinion),
        params=_params(project, opinion, at=at),
        selection=selection,
        by=by,
        at=at,
    )


def _params(project: Project, opinion: Opinion, *, at: datetime) -> dict[str, Any]:
    """The columns of each score, redacted as the project's policy says."""
    score = redacted(
        Score(
            project_id=project.pk,
            id=uuid7(),
            at=at,
            name=opinion.name,
            value=opinion.value,
            data_type=opinion.data_type.value,
            comment=opinion.comment or None,
        )
    )
    data_type, number, label = value_of_score(score)
    return {
        "name": score.name,
        "data_type": data_type,
        "number": number,
        "label": label,
        "comment": score.comment,
        "redaction": score.redaction,
    }


def _score(action: BulkAction, ids: Sequence[UUID]) -> Mapping[str, int]:
    place: dict[str, Any] = {
        "project": action.project_id,
        "action": action.pk,
        "at": action.created_at,
    }
    given: dict[str, Any] = {
        "ids": list(ids),
        "scores": sorted(uuid7() for _ in ids),
        "low": min(ids),
    }
    by = {"author": _author(action), "origin": ScoreOrigin.HUMAN.value, "high": max(ids)}
    with connection.cursor() as cursor:
        cursor.execute(_SCORE, {**action.params, **place, **given, **by})
        return {CHANGED: int(cursor.fetchone()[0])}


def _author(action: BulkAction) -> str | None:
    return action.created_by.email if action.created_by else None


def _take_back(action: BulkAction, change: BulkChange) -> int:
    """Scores that somebody changed since are theirs."""
    which: dict[str, Any] = {"project": action.project_id, "scores": change.ids}
    with connection.cursor() as cursor:
        cursor.execute(_TAKE_BACK, which)
        return int(cursor.rowcount)


SCORE = BulkKind("score", _score, _take_back)
