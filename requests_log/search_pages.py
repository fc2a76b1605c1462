"""What the query bar of the log asks for while somebody types."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from urllib.parse import urlencode

from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from requests_log.encoding import clean
from requests_log.search import Problem, read_filter
from requests_log.search.completion import complete
from requests_log.search.syntax import MAX_CHARACTERS, parse
from requests_log.timeline import figure, timeline, zoomed
from workbench.core.access import ProjectRequest, project_page
from workbench.core.errors import InvalidInput
from workbench.core.models import Role

SPANS = (
    ("1h", "last hour", "z h"),
    ("24h", "last day", "z d"),
    ("7d", "last week", "z w"),
    ("30d", "last month", "z m"),
    ("", "all time", "z a"),
)
"""What can be zoomed to with a key: `since:`, its name, its keys."""


@require_GET
@project_page(Role.VIEWER)
def completion(request: ProjectRequest) -> HttpResponse:
    """What may stand at a place of the query, and what is wrong with the query so far.

    Places count characters (code points), not UTF-16 units.
    """
    text = clean(request.GET.get("q", ""))
    wanted = read_filter(text, at=timezone.now())
    found = complete(request.project, text[:MAX_CHARACTERS], _place(request.GET.get("at", "")))
    return JsonResponse(
        {
            "start": found.span.start,
            "end": found.span.end,
            "offers": [asdict(offer) for offer in found.offers],
            "problems": [problem_shape(problem) for problem in wanted.problems],
        }
    )


@require_GET
@project_page(Role.VIEWER)
def requests_over_time(request: ProjectRequest) -> HttpResponse:
    """The strip above the list; it is asked for apart, so that the list need not wait for it."""
    query, at = request.GET.get("q", ""), timezone.now()
    shown = timeline(request.project, read_filter(query, at=at), at=at)
    context = {
        "timeline": shown,
        "figure": figure(shown),
        "query": query,
        "spans": SPANS,
        "since": _field(shown.start),
        "until": _field(shown.end),
    }
    return render(request, "requests_log/parts/timeline.html", context)


@require_GET
@project_page(Role.VIEWER)
def zoom(request: ProjectRequest) -> HttpResponse:
    """The list for another span of time: its address says so in the query itself."""
    query = parse(clean(request.GET.get("q", "")))
    found = zoomed(query, request.GET.get("from", ""), request.GET.get("to", ""))
    address = reverse("log:list", args=[request.project.slug])
    return redirect(f"{address}?{urlencode({'q': found.to_text()})}")


def problem_shape(problem: Problem) -> dict[str, object]:
    """A problem as JSON."""
    return {
        "start": problem.span.start,
        "end": problem.span.end,
        "sentence": problem.sentence,
    }


def _field(moment: datetime | None) -> str:
    """A moment as a field for dates holds it."""
    return "" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"


def _place(text: str) -> int:
    if not text.isdecimal() or not text.isascii() or len(text) > 6:
        raise InvalidInput("at: write a place in the query, counted in characters.")
    return int(text)
