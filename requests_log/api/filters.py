"""Query parameters that choose logged requests; `q` takes the log's whole query language."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from django.db.models import Q
from django.utils.dateparse import parse_datetime
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter

from requests_log.finding import text_page
from requests_log.leads import Leads
from requests_log.models import LoggedRequest, LoggedRequestQuerySet, Status
from requests_log.querysets import planned
from requests_log.search import Filter, read_filter
from workbench.core.errors import InvalidInput
from workbench.core.models import Project
from workbench.core.paging import Page, page_of, page_size

KNOWN = frozenset({"q", "model", "prompt", "status", "tag", "since", "until", "before", "limit"})

FILTERS = [
    OpenApiParameter("q", str, description="A query of the log, such as `cost:>0.01 -status:ok`."),
    OpenApiParameter("model", str, description="The model that was asked for."),
    OpenApiParameter("prompt", str, description="`name` or `name@version`."),
    OpenApiParameter("status", str, enum=Status.values),
    OpenApiParameter(
        "tag", str, description="`name:value`; may be given several times.", many=True
    ),
    OpenApiParameter("since", OpenApiTypes.DATETIME),
    OpenApiParameter("until", OpenApiTypes.DATETIME),
]


def asked_rows(
    project: Project, asked: Mapping[str, str], *, at: datetime
) -> LoggedRequestQuerySet:
    """The project's requests that every given parameter allows.

    Raises:
        InvalidInput: a parameter is unknown or makes no sense.
    """
    return _narrowed(project, asked, _wanted(asked, at=at).condition)


def _narrowed(project: Project, asked: Mapping[str, str], condition: Q) -> LoggedRequestQuerySet:
    unknown = sorted(set(asked) - KNOWN)
    if unknown:
        raise InvalidInput(f"“{unknown[0]}” is not a parameter. Use {', '.join(sorted(KNOWN))}.")
    rows = LoggedRequest.objects.in_project(project).filter(condition)
    if asked.get("model"):
        rows = rows.filter(model=_storable(asked["model"]))
    if asked.get("prompt"):
        rows = _of_prompt(rows, _storable(asked["prompt"]))
    if asked.get("status"):
        rows = rows.filter(status=_status(asked["status"]))
    rows = _between(rows, asked)
    return _tagged(rows, asked)


def asked_page(project: Project, asked: Mapping[str, str], *, at: datetime) -> Page[LoggedRequest]:
    """One page of them.

    Raises:
        InvalidInput: a parameter is unknown or makes no sense.
    """
    wanted = _wanted(asked, at=at)
    before, size = asked.get("before", ""), page_size(asked.get("limit", ""))
    with planned():
        few = Leads(project).few(wanted)
        if few is None and not wanted.needles:
            rows = _narrowed(project, asked, wanted.condition)
            return page_of(rows.for_list(), before=before, size=size)
        rows = _narrowed(project, asked, wanted.rest if few is None else few.condition)
        among = None if few is None else few.ids
        return text_page(project, rows, wanted.needles, among=among, before=before, size=size)


def _wanted(asked: Mapping[str, str], *, at: datetime) -> Filter:
    wanted = read_filter(asked.get("q", ""), at=at)
    if wanted.problems:
        raise InvalidInput(f"q: {wanted.problems[0].sentence}")
    return wanted


def _of_prompt(rows: LoggedRequestQuerySet, text: str) -> LoggedRequestQuerySet:
    name, at_sign, version = text.rpartition("@")
    if not at_sign:
        return rows.filter(prompt_name=text)
    if not version.isdecimal() or len(version) > 9:
        raise InvalidInput("prompt: write name or name@version, the version a whole number.")
    return rows.filter(prompt_name=name, prompt_version=int(version))


def _tagged(rows: LoggedRequestQuerySet, asked: Mapping[str, str]) -> LoggedRequestQuerySet:
    pairs = asked.getlist("tag") if hasattr(asked, "getlist") else [asked.get("tag", "")]
    for pair in filter(None, pairs):
        name, colon, value = _storable(pair).partition(":")
        if not colon:
            raise InvalidInput("tag: write name:value.")
        rows = rows.tagged(name, value)
    return rows


def _between(rows: LoggedRequestQuerySet, asked: Mapping[str, str]) -> LoggedRequestQuerySet:
    if asked.get("since"):
        rows = rows.since(_moment("since", asked["since"]))
    if asked.get("until"):
        rows = rows.until(_moment("until", asked["until"]))
    return rows


def _moment(name: str, text: str) -> datetime:
    try:
        found = parse_datetime(text)
    except ValueError:
        found = None
    if found is None or not 1970 <= found.year < 9999:
        raise InvalidInput(f"{name}: write a time such as 2026-01-31T09:00:00Z.")
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _status(text: str) -> Status:
    if text not in Status.values:
        raise InvalidInput(f"status must be one of {', '.join(Status.values)}.")
    return Status(text)


def _storable(text: str) -> str:
    if "\x00" in text:
        raise InvalidInput("A NUL character cannot be looked for.")
    return text
