"""What enters the queue: by the project's policy as scores and requests arrive, or by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from requests_log.bulk.actions import start
from requests_log.bulk.kinds import CHANGED, BulkKind
from requests_log.bulk.models import BulkAction, BulkChange
from requests_log.feedback.scoring import THUMB
from requests_log.review.models import Item, Policy, Reason
from requests_log.selection import Selection
from workbench.core.ids import floor_of
from workbench.core.models import Project, User

FIRST_LOOK = timedelta(days=7)
"""How far back a policy looks when it is applied for the first time."""
SLACK = timedelta(minutes=5)
"""What a slow transaction may commit late; looking at it again adds nothing."""

# A share is taken by the id's hash, so that the same requests are in it whoever asks, and the
# samples and the second looks are drawn independently.
_SHARE = (
    "('x' || substr(md5({salt} || {id}::text), 1, 8))::bit(32)::bigint %% 10000 < {percent} * 100"
)
_ENTER = f"""
WITH wanted AS (
    SELECT DISTINCT f.id FROM ({{found}}) AS f (id)
    JOIN requests_log_request r ON r.project_id = %(project)s AND r.id = f.id
)
INSERT INTO review_item (id, project_id, request_id, slot, reason, skipped_by, verdict)
SELECT gen_random_uuid(), %(project)s, w.id, slot, %(reason)s, '{{{{}}}}', '' FROM wanted w,
    generate_series(1, CASE WHEN {_SHARE.format(salt="'overlap'", id="w.id", percent="%(overlap)s")}
                       THEN 2 ELSE 1 END) AS slot
ON CONFLICT (project_id, request_id, slot) DO NOTHING
RETURNING id
"""  # noqa: S608 - constants
_RECENT = "s.project_id = %(project)s AND s.received_at >= %(since)s AND s.request_id IS NOT NULL"
_LOW = f"SELECT s.request_id FROM requests_log_score s WHERE {_RECENT} AND s.name = %(name)s"  # noqa: S608
FOUND: Mapping[Reason, str] = {
    Reason.THUMBS_DOWN: f"{_LOW} AND s.data_type = 'boolean' AND s.number = 0",
    Reason.LOW_SCORE: f"{_LOW} AND s.number < %(below)s",
    Reason.DISAGREEMENT: f"""
        SELECT s.request_id FROM requests_log_score s
        JOIN requests_log_score o ON o.project_id = s.project_id
            AND o.request_id = s.request_id AND o.name = s.name AND o.id <> s.id
            AND (o.number, o.label) IS DISTINCT FROM (s.number, s.label)
            AND (o.origin, o.author) IS DISTINCT FROM (s.origin, s.author)
        WHERE {_RECENT}""",  # noqa: S608 - constants
    Reason.SAMPLED: f"""
        SELECT id FROM requests_log_request
        WHERE project_id = %(project)s AND id >= %(first)s AND status = 'ok' AND {
        _SHARE.format(salt="'sample'", id="id", percent="%(percent)s")
    }""",  # noqa: S608
}


def policy_of(project: Project) -> Policy:
    """The project's policy; one that nobody saved lets thumbs-downs in."""
    return Policy.objects.filter(project=project).first() or Policy(project=project)


def fill(project: Project, *, at: datetime) -> int:
    """Let in what the policy wants of what arrived since the last time; returns how many.

    Two that fill at the same time let in everything once.
    """
    with transaction.atomic():
        Policy.objects.get_or_create(project=project)
        policy = Policy.objects.select_for_update().get(project=project)
        since = (policy.filled_until or at - FIRST_LOOK) - SLACK
        entered = sum(_enter(policy, reason, since=since) for reason in _reasons(policy))
        policy.filled_until = at
        policy.save(update_fields=["filled_until"])
    return entered


def send_to_review(
    project: Project, *, selection: Selection, by: User | None, at: datetime
) -> BulkAction:
    """Put the selected requests into the queue; those that were in it are not put in again.

    Raises:
        InvalidInput: the selection's query has a problem.
    """
    return start(
        project,
        kind=SEND_TO_REVIEW,
        title="Send to review",
        params={},
        selection=selection,
        by=by,
        at=at,
    )


def _reasons(policy: Policy) -> list[Reason]:
    wanted = {
        Reason.THUMBS_DOWN: policy.thumbs_down,
        Reason.LOW_SCORE: bool(policy.score_name) and policy.score_below is not None,
        Reason.DISAGREEMENT: policy.disagreement,
        Reason.SAMPLED: policy.sample_percent > 0,
    }
    return [reason for reason, is_wanted in wanted.items() if is_wanted]


def _enter(policy: Policy, reason: Reason, *, since: datetime) -> int:
    values: dict[str, Any] = {
        "since": since,
        "first": floor_of(since),
        "name": THUMB if reason == Reason.THUMBS_DOWN else policy.score_name,
        "below": policy.score_below,
        "percent": policy.sample_percent,
    }
    return len(_insert(policy, reason, FOUND[reason], values))


def _insert(policy: Policy, reason: Reason, found: str, values: Mapping[str, Any]) -> list[UUID]:
    place: dict[str, Any] = {"project": policy.project_id, "reason": reason.value}
    with connection.cursor() as cursor:
        overlap: dict[str, Any] = {"overlap": policy.overlap_percent}
        cursor.execute(_ENTER.format(found=found), {**values, **place, **overlap})
        return [row[0] for row in cursor.fetchall()]


def _send(action: BulkAction, ids: Sequence[UUID]) -> Mapping[str, int]:
    policy = policy_of(action.project)
    asked = "SELECT unnest(%(ids)s::uuid[])"
    entered = _insert(policy, Reason.SELECTED, asked, {"ids": list(ids)})
    if entered:
        BulkChange.objects.create(
            action=action, low=min(ids), high=max(ids), ids=entered, before=[]
        )
    return {CHANGED: len(entered)}


def _take_back(action: BulkAction, change: BulkChange) -> int:
    """What somebody decided about, or has on the screen, stays."""
    kept = Item.objects.in_project(action.project).filter(pk__in=change.ids, verdict="")
    gone = list(kept.unheld().select_for_update(skip_locked=True).values_list("pk", flat=True))
    Item.objects.filter(pk__in=gone).delete()
    return len(gone)


SEND_TO_REVIEW = BulkKind("send_to_review", _send, _take_back)
