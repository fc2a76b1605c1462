"""Requests like one request: the same question, nearly the same, the same prompt, one session.

Every list is the newest few rows of an index, so it costs the same in a small log and a large one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection

from requests_log.models import LoggedRequest, LoggedRequestQuerySet
from workbench.core.models import Project

MANY = 20

# What is left of the question's first line without case, digits, blanks and ASCII punctuation. The
# index digest_by_question is over this very expression; a per cent sign would be psycopg's.
IGNORED = r"""0123456789 .,;:!?-_'"()[]{}<>/\|@#$&*+=~^`"""


def normal(text: str) -> str:
    """The SQL for what is compared of a question."""
    ignored = IGNORED.replace("'", "''")
    return f"translate(lower({text}), '{ignored}', '')"


_STORED, _WANTED = normal("input_preview"), normal("%(question)s::text")
_NEAR = f"""
SELECT id, lower(input_preview) = lower(%(question)s)
FROM requests_log_digest
WHERE project_id = %(project)s AND id <> %(id)s
  AND hashtextextended({_STORED}, 0) = hashtextextended({_WANTED}, 0) AND {_STORED} = {_WANTED}
ORDER BY id DESC LIMIT {MANY}
"""  # noqa: S608 - constants


@dataclass(frozen=True)
class Group:
    """Requests that are alike in one way."""

    heading: str
    why: str
    rows: list[LoggedRequest]


def similar_to(project: Project, logged: LoggedRequest) -> list[Group]:
    """Groups with at least one request, the closest first; a request is in one group only."""
    near = near_ids(project, logged)
    found = {row.id: row for row in _listed(project).filter(id__in=[id_ for id_, _ in near])}
    same = [found[id_] for id_, is_same in near if is_same and id_ in found]
    alike = [found[id_] for id_, is_same in near if not is_same and id_ in found]
    groups = [
        Group("The same question", "The last user message begins with the same words.", same),
        Group(
            "Nearly the same question",
            "The same but for case, digits, blanks and punctuation.",
            alike,
        ),
    ]
    known = {logged.id, *found}
    groups.append(Group("The same prompt version", "", _of_prompt(project, logged, known)))
    groups.append(Group("The same session", "", _of_session(project, logged, known)))
    return [group for group in groups if group.rows]


def near_ids(project: Project, logged: LoggedRequest) -> list[tuple[UUID, bool]]:
    """The newest requests with nearly the same question, and whether it is the very same."""
    question = logged.input_preview or ""
    if not question.translate(str.maketrans("", "", IGNORED)):
        return []
    wanted: dict[str, Any] = {"project": project.pk, "id": logged.id, "question": question}
    with connection.cursor() as cursor:
        cursor.execute(_NEAR, wanted)
        return list(cursor.fetchall())


def _of_prompt(project: Project, logged: LoggedRequest, known: set[UUID]) -> list[LoggedRequest]:
    if logged.prompt_name is None:
        return []
    rows = _listed(project).filter(
        prompt_name=logged.prompt_name, prompt_version=logged.prompt_version
    )
    return _newest(rows, known)


def _of_session(project: Project, logged: LoggedRequest, known: set[UUID]) -> list[LoggedRequest]:
    return _newest(_listed(project).in_session(logged.session), known) if logged.session else []


def _newest(rows: LoggedRequestQuerySet, known: set[UUID]) -> list[LoggedRequest]:
    """The newest that are in no group before."""
    found = [row for row in rows.newest_first()[: MANY + len(known)] if row.id not in known]
    known.update(row.id for row in found[:MANY])
    return found[:MANY]


def _listed(project: Project) -> LoggedRequestQuerySet:
    return LoggedRequest.objects.in_project(project).for_list()
