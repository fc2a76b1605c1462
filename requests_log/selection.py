"""Which requests a bulk action is for: these ids, or all that match a query but a few."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.http import QueryDict

from requests_log.encoding import clean
from requests_log.finding import found_ids, matches
from requests_log.models import LoggedRequest, LoggedRequestQuerySet
from requests_log.search import Filter, read_filter
from workbench.core.errors import InvalidInput
from workbench.core.ids import floor_of
from workbench.core.models import Project

MAX_IDS = 10_000
CHUNK = 1_000
AT_ONCE = 1_000
"""Requests a bulk action changes while the person waits; more become a job."""


@dataclass(frozen=True)
class Selection:
    """Chosen requests. With `ids` the query is not looked at.

    `at` is when they were chosen: requests logged later are not in it, and ages in the query
    count from then, so that a job finds what the person saw.
    """

    at: datetime
    ids: tuple[UUID, ...] = ()
    query: str = ""
    excluded: tuple[UUID, ...] = ()

    def rows(self, project: Project) -> LoggedRequestQuerySet:
        """The requests.

        Raises:
            InvalidInput: the query has a problem, so what it would match is not what was meant.
        """
        found = LoggedRequest.objects.in_project(project)
        if self.ids:
            return found.filter(id__in=self.ids)
        return self._matching(project, self._wanted().condition)

    def count(self, project: Project, *, cap: int | None = None) -> int:
        """How many requests there are, counted no further than `cap`."""
        if cap is not None and (needles := self._needles()):
            return len(found_ids(project, self._rest(project), needles, most=cap))
        rows = self.rows(project).order_by()
        return rows.count() if cap is None else rows.values("id")[:cap].count()

    def chunks(
        self,
        project: Project,
        *,
        below: UUID | None = None,
        size: Callable[[], int] = lambda: CHUNK,
    ) -> Iterator[list[UUID]]:
        """The ids, newest first, a thousand at a time; with `below`, those behind that id.

        `size` is asked before each chunk how many it is to have.
        """
        if needles := self._needles():
            runs = matches(project, self._rest(project), needles, before=below)
            yield from _chunked(runs, size)
            return
        rows = self.rows(project).order_by("-id").values_list("id", flat=True)
        while found := list((rows if below is None else rows.filter(id__lt=below))[: size()]):
            yield found
            below = found[-1]

    def _wanted(self) -> Filter:
        wanted = read_filter(self.query, at=self.at)
        if wanted.problems:
            raise InvalidInput(f"The query cannot be used: {wanted.problems[0].sentence}")
        return wanted

    def _needles(self) -> list[str]:
        return [] if self.ids else self._wanted().needles

    def _rest(self, project: Project) -> LoggedRequestQuerySet:
        return self._matching(project, self._wanted().rest)

    def _matching(self, project: Project, condition: Q) -> LoggedRequestQuerySet:
        found = LoggedRequest.objects.in_project(project)
        return found.filter(condition, id__lt=floor_of(self.at)).exclude(id__in=self.excluded)

    def to_payload(self) -> dict[str, Any]:
        """The selection as JSON, for a job."""
        return {
            "at": self.at.isoformat(),
            "ids": [str(id_) for id_ in self.ids],
            "query": self.query,
            "excluded": [str(id_) for id_ in self.excluded],
        }

    @classmethod
    def from_payload(cls, payload: dict[str, Any]) -> Selection:
        return cls(
            at=datetime.fromisoformat(payload["at"]),
            ids=tuple(UUID(id_) for id_ in payload["ids"]),
            query=payload["query"],
            excluded=tuple(UUID(id_) for id_ in payload["excluded"]),
        )


def _chunked(runs: Iterable[list[UUID]], size: Callable[[], int]) -> Iterator[list[UUID]]:
    """The ids of runs, so many at a time."""
    ready: list[UUID] = []
    for run in runs:
        ready += run
        while len(ready) >= (wanted := size()):
            yield ready[:wanted]
            del ready[:wanted]
    if ready:
        yield ready


def chosen(
    *,
    at: datetime,
    ids: Iterable[str] = (),
    everything: bool = False,
    query: str = "",
    excluded: Iterable[str] = (),
) -> Selection:
    """The selection a form or a call describes.

    Raises:
        InvalidInput: nothing is chosen, too much is listed, or an id is malformed.
    """
    if everything:
        return Selection(at=at, query=clean(query), excluded=_ids(excluded))
    found = _ids(ids)
    if not found:
        raise InvalidInput("Select at least one request first.")
    return Selection(at=at, ids=found)


def posted(form: QueryDict, *, at: datetime) -> Selection:
    """The selection that the log's selection bar posts.

    Raises:
        InvalidInput: as `chosen`.
    """
    return chosen(
        at=at,
        ids=form.getlist("ids"),
        everything=form.get("all") == "1",
        query=form.get("q", ""),
        excluded=form.getlist("except"),
    )


def _ids(texts: Iterable[str]) -> tuple[UUID, ...]:
    try:
        found = tuple(dict.fromkeys(UUID(str(text)) for text in texts))
    except ValueError as problem:
        raise InvalidInput("A request's id is a UUID; one of those sent is not.") from problem
    if len(found) > MAX_IDS:
        raise InvalidInput(f"List at most {MAX_IDS:,} ids; for more, select by a query.")
    return found
