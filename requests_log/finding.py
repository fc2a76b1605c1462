"""Finding what matches a query, newest first, by an index that tells which requests may match.

The condition of a query is exact by itself, but for a text it would read that of every request.
Here the text index says which requests may match, and only those are looked at; so it is with
few matches that are known already (`requests_log.leads`).

`rows` are a project's requests under the rest of the query's condition (`Filter.rest`), and
whatever else narrows them; `needles` are the query's texts; `among` are ids among which all matches
are, newest first, if those are known. One of the two is given (`search_for` gives all three).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import F, Lookup

from requests_log.leads import Leads
from requests_log.models import LoggedRequest, LoggedRequestQuerySet
from requests_log.search import Filter
from requests_log.textindex.candidates import candidates
from workbench.core.errors import InvalidInput
from workbench.core.models import Project
from workbench.core.paging import PAGE_SIZE, Page, cursor

FIRST_RUN, MOST_RUN = 200, 4_000
"""Candidates looked at in one statement, at first and later."""
MOST_NEWER = 50_000
"""Matches newer than a page that are looked through for the page before it."""


@dataclass(frozen=True)
class Search:
    """Rows, needles and known ids (see above) of a query's matches in a project."""

    project: Project
    rows: LoggedRequestQuerySet
    needles: Sequence[str]
    among: Sequence[UUID] | None

    def found(self, most: int) -> list[UUID]:
        """The ids of the newest `most` matches, newest first."""
        return found_ids(self.project, self.rows, self.needles, most=most, among=self.among)

    def newest(self, most: int) -> LoggedRequestQuerySet:
        """The newest `most` matches, or more of them, newest first."""
        if self.needles or self.among is None:
            return rows_of(self.project, self.found(most))
        return _among(self.rows, self.among) if self.among else self.rows.none()

    def page(self, before: str, after: str) -> Page[LoggedRequest]:
        """A page of matches."""
        rows, among = self.rows, self.among
        return text_page(self.project, rows, self.needles, among=among, before=before, after=after)


def search_for(project: Project, wanted: Filter, leads: Leads | None = None) -> Search | None:
    """How an index finds a query's matches; None where going through the log does."""
    few = (leads or Leads(project)).few(wanted)
    if few is None and not wanted.needles:
        return None
    rows = LoggedRequest.objects.in_project(project)
    if few is None:
        return Search(project, rows.filter(wanted.rest), wanted.needles, None)
    return Search(project, rows.filter(few.condition), wanted.needles, few.ids)


def matches(
    project: Project,
    rows: LoggedRequestQuerySet,
    needles: Sequence[str],
    *,
    among: Sequence[UUID] | None = None,
    before: UUID | None = None,
) -> Iterator[list[UUID]]:
    """The ids of all matches, newest first, in runs; only those older than an id, if given."""
    size = FIRST_RUN if needles else MOST_RUN
    for some in _candidates(project, needles, among, before):
        at = 0
        while at < len(some):
            run = [UUID(bytes=id_) for id_ in some[at : at + size]]
            kept = list(_among(rows, run).values_list("id", flat=True))
            yield _holding(project, kept, needles) if kept and needles else kept
            at += size
            size = min(size * 2, MOST_RUN)


def _candidates(
    project: Project, needles: Sequence[str], among: Sequence[UUID] | None, before: UUID | None
) -> Iterable[list[bytes]]:
    if among is None:
        return candidates(project.pk, needles, before=before)
    return [[id_.bytes for id_ in among if before is None or id_ < before]]


def _holding(project: Project, run: Sequence[UUID], needles: Sequence[str]) -> list[UUID]:
    """Those whose text holds all the needles. Asked of the digests alone, whose weeks it names."""
    held = " AND ".join(["strpos(search, %s) > 0"] * len(needles))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM requests_log_digest "  # noqa: S608 - constants
            f"WHERE project_id = %s AND id = {_ANY} AND id BETWEEN %s AND %s AND {held} "
            "ORDER BY id DESC",
            [project.pk, _array(run), run[-1], run[0], *needles],
        )
        return [row[0] for row in cursor.fetchall()]


def _among(rows: LoggedRequestQuerySet, ids: Sequence[UUID]) -> LoggedRequestQuerySet:
    """The rows with these ids, which are newest first; the range names their weeks."""
    return rows.filter(_OneOf(F("id"), list(ids)), id__range=(ids[-1], ids[0])).order_by("-id")


class _OneOf(Lookup):
    """Being one of thousands of ids, which are read as one array and planned as one value."""

    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        left, parameters = self.process_lhs(compiler, connection)
        return f"{left} = {_ANY}", (*parameters, _array(self.rhs))


# As a query of its own: Postgres would weigh each element of a constant when it plans.
_ANY = "ANY((SELECT %s::uuid[])::uuid[])"


def _array(ids: Iterable[UUID]) -> str:
    """Ids as Postgres reads an array; much faster than one parameter for each."""
    return f"{{{','.join(id_.hex for id_ in ids)}}}"


def found_ids(
    project: Project,
    rows: LoggedRequestQuerySet,
    needles: Sequence[str],
    *,
    most: int,
    among: Sequence[UUID] | None = None,
    before: UUID | None = None,
) -> list[UUID]:
    """The ids of the newest `most` matches, newest first; only those older than `before`."""
    found: list[UUID] = []
    for run in matches(project, rows, needles, among=among, before=before):
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
    among: Sequence[UUID] | None = None,
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
        newer = found_ids(project, later, needles, most=MOST_NEWER, among=among)
        if newer:
            shown = newer[-size:]
            return Page(_shown(project, shown), shown[-1], shown[0] if shown != newer else None)
    bound = cursor(before) if before else None
    found = found_ids(project, rows, needles, most=size + 1, among=among, before=bound)
    page = first_page(project, found, size)
    return replace(page, newer=page.rows[0].id) if before and page.rows else page


def first_page(project: Project, found: Sequence[UUID], size: int = PAGE_SIZE) -> Page[Any]:
    """The page of the newest of these matches, which are newest first."""
    shown = found[:size]
    return Page(_shown(project, shown), shown[-1] if len(found) > size else None, None)


def _shown(project: Project, ids: Sequence[UUID]) -> list[LoggedRequest]:
    return list(rows_of(project, ids).for_list())
