"""Finding what matches a query that asks for text, by the text index, newest first.

The condition of such a query is exact by itself, but would read the text of every request. Here
the text index says which requests may match, and only those are looked at.

`rows` are a project's requests under the rest of the query's condition (`Filter.rest`), and
whatever else narrows them; `needles` are those of the query, at least one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import F, Lookup

from requests_log.models import LoggedRequest, LoggedRequestQuerySet
from requests_log.textindex.candidates import candidates
from workbench.core.errors import InvalidInput
from workbench.core.models import Project
from workbench.core.paging import PAGE_SIZE, Page, cursor

FIRST_RUN, MOST_RUN = 200, 3_200
"""Candidates looked at in one statement, at first and later."""
MOST_NEWER = 50_000
"""Matches newer than a page that are looked through for the page before it."""


def matches(
    project: Project,
    rows: LoggedRequestQuerySet,
    needles: Sequence[str],
    *,
    before: UUID | None = None,
) -> Iterator[list[UUID]]:
    """The ids of all matches, newest first, in runs; only those older than an id, if given."""
    size = FIRST_RUN
    for some in candidates(project.pk, needles, before=before):
        at = 0
        while at < len(some):
            kept = list(_among(rows, some[at : at + size]).values_list("id", flat=True))
            yield _holding(project, kept, needles) if kept else []
            at += size
            size = min(size * 2, MOST_RUN)


def _holding(project: Project, run: Sequence[UUID], needles: Sequence[str]) -> list[UUID]:
    """Those whose text holds all the needles. Asked of the digests alone, whose weeks it names."""
    held = " AND ".join(["strpos(search, %s) > 0"] * len(needles))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM requests_log_digest "  # noqa: S608 - constants
            f"WHERE project_id = %s AND id = ANY(%s) AND id BETWEEN %s AND %s AND {held} "
            "ORDER BY id DESC",
            [project.pk, list(run), run[-1], run[0], *needles],
        )
        return [row[0] for row in cursor.fetchall()]


def _among(rows: LoggedRequestQuerySet, ids: Sequence[UUID]) -> LoggedRequestQuerySet:
    """The rows with these ids, which are newest first; the range names their weeks."""
    return rows.filter(_OneOf(F("id"), list(ids)), id__range=(ids[-1], ids[0])).order_by("-id")


class _OneOf(Lookup):
    """Being one of thousands of ids: an array is read faster than a parameter for each."""

    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        left, parameters = self.process_lhs(compiler, connection)
        return f"{left} = ANY(%s::uuid[])", (*parameters, self.rhs)


def found_ids(
    project: Project,
    rows: LoggedRequestQuerySet,
    needles: Sequence[str],
    *,
    most: int,
    before: UUID | None = None,
) -> list[UUID]:
    """The ids of the newest `most` matches, newest first; only those older than `before`."""
    found: list[UUID] = []
    for run in matches(project, rows, needles, before=before):
        found += run[: most - len(found)]
        if len(found) >= most:
            break
    return found


def rows_of(project: Project, ids: Sequence[UUID]) -> LoggedRequestQuerySet:
    """The requests with these ids, which are newest first."""
    rows = LoggedRequest.objects.in_project(project)
    return _among(rows, ids) if ids else rows.none()


def text_page(
    project: Project,
    rows: LoggedRequestQuerySet,
    needles: Sequence[str],
    *,
    before: str = "",
    after: str = "",
    size: int = PAGE_SIZE,
) -> Page[LoggedRequest]:
    """A page of matches, as `page_of` makes it of other rows.

    Raises:
        InvalidInput: a cursor is not an id, or both were given.
    """
    if before and after:
        raise InvalidInput("Give either before or after, not both.")
    if after:
        later = rows.filter(id__gt=cursor(after))
        newer = found_ids(project, later, needles, most=MOST_NEWER)
        if newer:
            shown = newer[-size:]
            return Page(_shown(project, shown), shown[-1], shown[0] if shown != newer else None)
    bound = cursor(before) if before else None
    found = found_ids(project, rows, needles, most=size + 1, before=bound)
    shown = found[:size]
    older = shown[-1] if len(found) > size else None
    return Page(_shown(project, shown), older, shown[0] if before and shown else None)


def _shown(project: Project, ids: Sequence[UUID]) -> list[LoggedRequest]:
    return list(rows_of(project, ids).for_list())
