"""Erasing a subject: as a job, in an order in which a second attempt finds what is left."""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from requests_log.bulk.deleting import LEFTOVERS, SAID
from requests_log.datasets.erasure.models import Erasure
from requests_log.datasets.erasure.reach import reach_of, read_subject, theirs_in
from requests_log.datasets.hygiene.models import FixedExample
from requests_log.datasets.models import Example
from requests_log.models import LoggedSpan, RequestRow
from workbench.core.errors import NotFound
from workbench.core.models import Project, User
from workbench.core.queue import JobKind, RunningJob

CHUNK = 500
ERASE_SUBJECT = JobKind("datasets.erase_subject")

_FORGET = """
DELETE FROM {table}
WHERE project_id = %(project)s AND id = ANY(%(ids)s) AND id BETWEEN %(low)s AND %(high)s
"""
_FORGET_SAID = "DELETE FROM {table} WHERE project_id = %(project)s AND request_id = ANY(%(ids)s)"
_UNUSED = """
DELETE FROM datasets_content c WHERE c.id = ANY(%s)
AND NOT EXISTS (SELECT FROM datasets_example e WHERE e.content_id = c.id)
AND NOT EXISTS (SELECT FROM datasets_versionrow r WHERE r.content_id = c.id)
AND NOT EXISTS (SELECT FROM datasets_exampleedit d WHERE d.content_id = c.id)
AND NOT EXISTS (SELECT FROM datasets_fixedexample f WHERE f.content_id = c.id OR f.left_id = c.id)
"""
_TABLES = ("requests_log_tags", "requests_log_request", "requests_log_undigested", *LEFTOVERS)


def erase_subject(project: Project, *, subject: str, by: User | None, at: datetime) -> Erasure:
    """Erase a person's calls, spans and examples for good, as a job, and write down that it was.

    Frozen versions do not change: those that hold rows of theirs, and what came of them, are listed
    in the record, to be deleted or retrained by people.

    Raises:
        InvalidInput: no usable user id.
        NotFound: nothing of them is there.
    """
    subject = read_subject(subject)
    reach = reach_of(project, subject)
    if reach.is_empty:
        raise NotFound("Nothing here was logged or made under this user id.")
    with transaction.atomic():
        erasure = Erasure.objects.create(
            project=project,
            subject_hash=subject_hash(project, subject),
            versions=[str(version) for version in reach.versions],
            dependents=[f"{one.kind}: {one.name}" for one in reach.dependents],
            created_by=by,
            created_at=at,
        )
        payload = {"erasure": str(erasure.pk), "subject": subject}
        erasure.job = ERASE_SUBJECT.enqueue(
            project=project, title="Erase a user's data", by=by, payload=payload
        )
        erasure.save(update_fields=["job"])
    return erasure


def subject_hash(project: Project, subject: str) -> str:
    """What a record keeps of a subject: whoever knows the id and SECRET_KEY can find it again."""
    purpose = f"stillhouse erasure 1:{project.pk}".encode()
    key = hmac.new(settings.SECRET_KEY.encode(), purpose, hashlib.sha256).digest()
    return hmac.new(key, subject.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


@ERASE_SUBJECT.handler
def perform_erasure(running: RunningJob) -> dict[str, Any]:
    """Examples before the calls they are found by; at the end the job forgets the id itself."""
    payload = running.payload
    erasure = Erasure.objects.select_related("project").filter(pk=payload["erasure"]).first()
    if erasure is None:
        raise NotFound("The project is gone.")
    project, subject = erasure.project, payload["subject"]
    counts = Counter(erasure.counts)
    with transaction.atomic():
        counts["examples"] += _erase_examples(project, subject)
    calls = RequestRow.objects.in_project(project).filter(end_user=subject)
    running.progress(0, calls.count())
    while ids := list(calls.order_by("-id").values_list("id", flat=True)[:CHUNK]):
        with transaction.atomic():
            _erase_calls(project, ids)
            counts["requests"] += len(ids)
            Erasure.objects.filter(pk=erasure.pk).update(counts=dict(counts))
        running.progress(counts["requests"])
    spans, _ = LoggedSpan.objects.filter(project=project, end_user=subject).delete()
    counts["spans"] += spans
    Erasure.objects.filter(pk=erasure.pk).update(counts=dict(counts), finished_at=timezone.now())
    running.job.payload = {"erasure": payload["erasure"], "subject": ""}
    running.job.save(update_fields=["payload"])
    return dict(counts)


def _erase_examples(project: Project, subject: str) -> int:
    theirs = theirs_in(project, subject)
    found = Example.objects.filter(theirs, dataset__project=project)
    rows = list(found.values_list("pk", "content", "edits__content"))
    examples = {row[0] for row in rows}
    calls = RequestRow.objects.in_project(project).filter(end_user=subject)
    ids = [str(id_) for id_ in calls.values_list("id", flat=True)]
    undoable = FixedExample.objects.filter(
        Q(example_id__in=examples) | Q(kept__request_id__in=ids), fix__dataset__project=project
    )
    contents = {pk for row in rows for pk in row[1:] if pk}
    contents |= {pk for row in undoable.values_list("content", "left") for pk in row if pk}
    undoable.delete()
    Example.objects.filter(pk__in=examples).delete()
    with connection.cursor() as cursor:
        cursor.execute(_UNUSED, [list(contents)])
    return len(examples)


def _erase_calls(project: Project, ids: Sequence[UUID]) -> None:
    gone: dict[str, Any] = {
        "project": project.pk, "ids": list(ids), "low": min(ids), "high": max(ids),
    }  # fmt: skip
    with connection.cursor() as cursor:
        for table in SAID:
            cursor.execute(_FORGET_SAID.format(table=table), gone)
        for table in reversed(_TABLES):
            cursor.execute(_FORGET.format(table=table), gone)
