"""What the pages of the log show, read for them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count, F, Max, Q

from requests_log.facets import WINDOW, Facet, facets_of
from requests_log.finding import Search, first_page, rows_of, search_for
from requests_log.leads import Leads
from requests_log.models import LoggedRequest, RequestRow
from requests_log.querysets import planned
from requests_log.search import Filter, Term, read_filter
from workbench.core.models import Project
from workbench.core.paging import Page, page_of

COUNT_CAP = 10_000
TEXT_COUNT_CAP = 1_000
"""Counted no further where every match's text is looked at."""
NEWER_CAP = 99
PROMPT_DAYS = timedelta(days=30)
MAX_PROMPTS = 500


@dataclass(frozen=True)
class Listing:
    """One page of the log for a query."""

    wanted: Filter
    page: Page[LoggedRequest]
    total: int
    facets: list[Facet]
    cap: int = COUNT_CAP
    is_open: bool = False
    """Whether only the latest requests were counted: among the others there may be more."""

    @property
    def is_capped(self) -> bool:
        """Whether there may be more than were counted."""
        return self.is_open or self.total > self.cap

    @property
    def total_text(self) -> str:
        """The polite count: exact up to the cap."""
        if self.total > self.cap:
            return f">{self.cap:,}"
        return f"{self.total:,}+" if self.is_open else f"{self.total:,}"

    @property
    def is_newest(self) -> bool:
        """Whether this is the first page, which new requests would come to."""
        return self.page.newer is None


def listing(
    project: Project, *, query: str, before: str = "", after: str = "", at: datetime
) -> Listing:
    """The page; a query with problems matches nothing: nobody should act on what was not meant."""
    wanted = read_filter(query, at=at)
    if wanted.problems:
        return Listing(wanted, Page([], None, None), 0, [])
    with planned():
        leads = Leads(project)
        search = search_for(project, wanted, leads)
        if search is not None:
            return _found_listing(search, wanted, leads, before=before, after=after, at=at)
        rows = LoggedRequest.objects.in_project(project).filter(wanted.condition)
        page = page_of(rows.for_list(), before=before, after=after)
        counted = leads.latest(rows, wanted)
        # In the order of an index Postgres stops at the cap; in any order it may join all there is.
        total = counted.order_by("-id").values("id")[: COUNT_CAP + 1].count()
        facets = facets_of(project, wanted.query, at=at, leads=leads)
        return Listing(wanted, page, total, facets, is_open=counted is not rows)


def _found_listing(
    search: Search, wanted: Filter, leads: Leads, *, before: str, after: str, at: datetime
) -> Listing:
    """The page of a query whose newest matches are found once for all its parts."""
    project, cap = search.project, TEXT_COUNT_CAP if wanted.needles else WINDOW
    found = search.found(cap + 1)
    page = search.page(before, after) if before or after else first_page(project, found)
    rows = rows_of(project, found[:WINDOW])
    facets = facets_of(project, wanted.query, at=at, leads=leads, found=rows)
    return Listing(wanted, page, len(found), facets, cap)


def has_requests(project: Project) -> bool:
    """Whether anything was ever logged."""
    return LoggedRequest.objects.in_project(project).exists()


def newer_than(project: Project, request_id: UUID | None, *, query: str, at: datetime) -> int:
    """How many matching requests came after this one, counted to 99."""
    wanted = read_filter(query, at=at)
    if wanted.problems:
        return 0
    later = Q() if request_id is None else Q(id__gt=request_id)
    rows = LoggedRequest.objects.in_project(project).filter(wanted.condition, later)
    return rows.order_by().values("id")[:NEWER_CAP].count()


@dataclass(frozen=True)
class SeenPrompt:
    """A prompt version that requests were made with in the last thirty days."""

    name: str
    version: int | None
    requests: int
    last_seen: datetime

    @property
    def query(self) -> str:
        """The query that finds its requests."""
        suffix = "" if self.version is None else f"@{self.version}"
        return Term.of("prompt", f"{self.name}{suffix}").to_text()


def seen_prompts(project: Project, *, at: datetime) -> list[SeenPrompt]:
    """Prompt versions by name, newest version first."""
    rows = RequestRow.objects.in_project(project).since(at - PROMPT_DAYS)
    counted = (
        rows.filter(prompt_name__isnull=False)
        .values("prompt_name", "prompt_version")
        .annotate(requests=Count("id"), last=Max("started_at"))
        .order_by("prompt_name", F("prompt_version").desc(nulls_last=True))
    )
    return [
        SeenPrompt(row["prompt_name"] or "", row["prompt_version"], row["requests"], row["last"])
        for row in counted[:MAX_PROMPTS]
    ]


def neighbours(
    project: Project, request_id: UUID, *, query: str = "", at: datetime
) -> tuple[UUID | None, UUID | None]:
    """The requests just before and just after, by time, among those that match the query."""
    wanted = read_filter(query, at=at)
    condition = Q() if wanted.problems else wanted.condition
    with planned():
        search = None if wanted.needles else search_for(project, wanted)
        whole = LoggedRequest.objects.in_project(project).filter(condition)
        ids = (search.newest(WINDOW) if search else whole).values_list("id", flat=True)
        older = ids.filter(id__lt=request_id).order_by("-id").first()
        newer = ids.filter(id__gt=request_id).order_by("id").first()
        return older, newer
