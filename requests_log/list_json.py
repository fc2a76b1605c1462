"""The lists of the log as JSON: what a page shows, at the page's own address with `.json`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse, JsonResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from requests_log.api import serializers as shapes
from requests_log.facets import Facet
from requests_log.listing import Listing, listing, seen_prompts
from requests_log.search_pages import problem_shape
from workbench.core.access import ProjectRequest, project_page
from workbench.core.models import Project, Role


@require_GET
@project_page(Role.VIEWER)
def request_list(request: ProjectRequest) -> HttpResponse:
    """A page of requests; a query with mistakes answers 400 and tells where they are."""
    asked = request.GET
    query = asked.get("q", "")
    found = listing(
        request.project,
        query=query,
        before=asked.get("before", ""),
        after=asked.get("after", ""),
        at=timezone.now(),
    )
    status = 400 if found.wanted.problems else 200
    return JsonResponse(_page(request.project, query, found), status=status)


@require_GET
@project_page(Role.VIEWER)
def prompt_list(request: ProjectRequest) -> HttpResponse:
    """The prompt versions seen in the last thirty days."""
    prompts = seen_prompts(request.project, at=timezone.now())
    found = [asdict(prompt) | {"query": prompt.query} for prompt in prompts]
    return JsonResponse({"prompts": found})


def _page(project: Project, query: str, found: Listing) -> dict[str, Any]:
    page = found.page
    return {
        "query": query,
        "canonical": found.wanted.text,
        "problems": [problem_shape(problem) for problem in found.wanted.problems],
        "total": min(found.total, found.cap),
        "total_is_capped": found.is_capped,
        "requests": shapes.RequestOut(page.rows, many=True).data,
        "older": _address(project, query, before=page.older),
        "newer": _address(project, query, after=page.newer),
        "facets": [_facet(facet) for facet in found.facets],
    }


def _address(project: Project, query: str, **cursor: object) -> str | None:
    """Where the page beside this one is; None when there is none."""
    given = {name: str(value) for name, value in cursor.items() if value is not None}
    if not given:
        return None
    path = reverse("log:list-json", args=[project.slug])
    return f"{path}?{urlencode({'q': query} | given)}"


def _facet(facet: Facet) -> dict[str, Any]:
    values = [
        {"value": one.label, "count": one.count, "query": one.query, "without": one.without}
        for one in facet.values
    ]
    return {"name": facet.name, "values": values}
