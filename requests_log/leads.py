"""Few matches of a query, found by an index of what it asks for instead of through the log.

Lists go newest first. While matches are many, the newest are soon met that way; when they are few,
all of the log would be gone through for them. Tags, scores and costs have indexes without an order
in time, and those tell at once whether matches are few, and which.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import Any
from uuid import UUID

from django.db.models import Q

from requests_log.models import Digest, LoggedRequest, LoggedRequestQuerySet, RequestTags
from requests_log.search import Filter, Lead
from requests_log.search.models import RequestScore
from workbench.core.models import Project

LOOKED_AT = 25_000
"""Of so many of the latest requests matches are counted where they are many and far apart."""
_BY_TIME = attrgetter("int")
_WHERE: dict[str, tuple[Any, str, int]] = {
    "tag": (RequestTags, "id", 5_000),
    "cost": (Digest, "id", 5_000),
    "score": (RequestScore, "request_id", 20_000),
}
"""For each lead its table, where that has the request's id, and how many are few.

Requests are probed for scores one by one, which is slower than looking some more up by their ids.
"""


@dataclass(frozen=True)
class Few:
    """Ids among which all matches are, newest first, and the condition that tells which."""

    ids: list[UUID]
    condition: Q


class Leads:
    """What indexes lead to in a project. Keep one for a page, whose parts ask for the same."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._ids: dict[str, list[UUID] | None] = {}
        self._behind: dict[str, UUID | None] = {}

    def few(self, wanted: Filter) -> Few | None:
        """The few requests that may match; None when they may be many."""
        for lead in wanted.leads:
            if lead.text not in self._ids:
                self._ids[lead.text] = self._read(lead)
            if (ids := self._ids[lead.text]) is not None:
                return Few(ids, lead.others)
        return None

    def latest(self, rows: LoggedRequestQuerySet, wanted: Filter) -> LoggedRequestQuerySet:
        """Those of the `LOOKED_AT` latest requests that match; `rows` itself where all are.

        `rows` are all requests that match.
        """
        if not wanted.leads:
            return rows
        span = str(wanted.span)
        if span not in self._behind:
            ids = LoggedRequest.objects.in_project(self._project).filter(wanted.span)
            behind = ids.order_by("-id").values_list("id", flat=True)[LOOKED_AT : LOOKED_AT + 1]
            self._behind[span] = next(iter(behind), None)
        last = self._behind[span]
        return rows if last is None else rows.filter(id__gt=last)

    def _read(self, lead: Lead) -> list[UUID] | None:
        model, column, most = _WHERE[lead.name]
        rows = model.objects.in_project(self._project).filter(lead.condition).order_by()
        found: list[UUID] = list(rows.values_list(column, flat=True)[: most + 1])
        return None if len(found) > most else sorted(set(found), key=_BY_TIME, reverse=True)
