"""The pages of the log: the list, one request, tags."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from prompts.models import Prompt
from requests_log import bodies
from requests_log.bulk.answers import done
from requests_log.comparing import compare, find_other
from requests_log.health import notices
from requests_log.inspecting import said_about, withheld_parts
from requests_log.listing import has_requests, listing, neighbours, newer_than, seen_prompts
from requests_log.models import LoggedRequest, RequestRow, body_of
from requests_log.otlp.kept import raw_span
from requests_log.saved_views.models import SavedView
from requests_log.search.fields import FIELDS
from requests_log.search.marks import marked, underlined
from requests_log.selection import Selection, posted
from requests_log.similar import similar_to
from requests_log.snippets import as_curl, as_python, target_of
from requests_log.tagging import Tagging, read_tagging, tag_requests
from requests_log.textindex.lag import text_index_lag
from requests_log.traces.tree import read_trace
from workbench.core.access import ProjectRequest, project_page
from workbench.core.errors import DomainError
from workbench.core.models import Role
from workbench.core.paging import cursor

RAW_SHOWN = 200_000
"""Characters of a raw body that a page shows; the whole is a download."""


@require_GET
@project_page(Role.VIEWER)
def request_list(request: ProjectRequest) -> HttpResponse:
    query = request.GET.get("q", "")
    found = listing(
        request.project,
        query=query,
        before=request.GET.get("before", ""),
        after=request.GET.get("after", ""),
        at=timezone.now(),
    )
    context = {
        "listing": found,
        "query": query,
        "error": marked(query, found.wanted.problems),
        "marks": underlined(query, found.wanted.problems),
        "saved_views": SavedView.objects.visible_to(request.project, request.user),
        "complete_url": reverse("log:complete", args=[request.project.slug]),
        "fields": FIELDS.values(),
        "is_new": not found.page.rows and not query and not has_requests(request.project),
        "public_url": settings.PUBLIC_URL,
        "opened": request.GET.get("open", ""),
        "notices": notices(request.project, at=timezone.now()),
        "lag": text_index_lag(request.project, at=timezone.now()),
    }
    return render(request, "requests_log/log.html", context)


@require_GET
@project_page(Role.VIEWER)
def newer(request: ProjectRequest) -> HttpResponse:
    """The line above the list that tells of requests logged since."""
    first = request.GET.get("first", "")
    query = request.GET.get("q", "")
    many = newer_than(
        request.project, cursor(first) if first else None, query=query, at=timezone.now()
    )
    if many and not first:
        return HttpResponse(headers={"HX-Refresh": "true"})
    context = {"newer": many, "first": first, "query": query}
    return render(request, "requests_log/parts/newer.html", context)


@require_GET
@project_page(Role.VIEWER)
def request_page(request: ProjectRequest, request_id: UUID) -> HttpResponse:
    found = _request(request, request_id)
    query = request.GET.get("q", "")
    older, later = neighbours(request.project, request_id, query=query, at=timezone.now())
    tab = request.GET.get("tab", "")
    context = {
        **_about(request, found),
        "tab": tab if tab in _TABS else "transcript",
        "has_rows": tab in {"similar", "trace"},
        "older": older,
        "newer": later,
        **(_TABS[tab](request, found) if tab in _TABS else {}),
    }
    return render(request, "requests_log/request.html", context)


@require_GET
@project_page(Role.VIEWER)
def inspect(request: ProjectRequest, request_id: UUID) -> HttpResponse:
    """The request for the column at the right of the list."""
    context = _about(request, _request(request, request_id))
    return render(request, "requests_log/inspector.html", context)


@require_GET
@project_page(Role.VIEWER)
def download(request: ProjectRequest, request_id: UUID, part: str) -> HttpResponse:
    """The exact bytes of a raw body."""
    raw = dict(_bodies(request, request_id)).get(part)
    if raw is None:
        raise Http404
    name = f"{request_id}-{part}.json"
    return HttpResponse(
        raw,
        content_type="application/octet-stream",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@require_POST
@project_page(Role.EDITOR)
def tag_request(request: ProjectRequest, request_id: UUID) -> HttpResponse:
    """Set or remove a tag of one request; answers with its tags."""
    get_object_or_404(RequestRow.objects.in_project(request.project), id=request_id)
    selection = Selection(at=timezone.now(), ids=(request_id,))
    tag_requests(
        request.project,
        selection=selection,
        tagging=_tagging(request),
        by=request.user,
        at=timezone.now(),
    )
    context = {"logged": _request(request, request_id)}
    return render(request, "requests_log/parts/tags.html", context)


@require_POST
@project_page(Role.EDITOR)
def tag_selection(request: ProjectRequest) -> HttpResponse:
    """Set or remove a tag of the selected requests."""
    at = timezone.now()
    action = tag_requests(
        request.project,
        selection=posted(request.POST, at=at),
        tagging=_tagging(request),
        by=request.user,
        at=at,
    )
    return done(request, action)


@require_GET
@project_page(Role.VIEWER)
def prompt_list(request: ProjectRequest) -> HttpResponse:
    """The prompts that logged requests were made with."""
    seen = seen_prompts(request.project, at=timezone.now())
    saved = Prompt.objects.in_project(request.project).filter(name__in={one.name for one in seen})
    context = {"prompts": seen, "saved": set(saved.values_list("name", flat=True))}
    return render(request, "requests_log/prompts.html", context)


def _about(request: ProjectRequest, logged: LoggedRequest) -> dict[str, object]:
    return {
        "logged": logged,
        "said": said_about(request.project, logged),
        "withheld": withheld_parts(logged),
        "query": request.GET.get("q", "")[:4_000],
    }


def _tagging(request: ProjectRequest) -> Tagging:
    value = None if "remove" in request.POST else request.POST.get("value", "")
    return read_tagging(request.POST.get("name", ""), value)


def _raw_tab(request: ProjectRequest, found: LoggedRequest) -> dict[str, object]:
    """The raw bodies as text, cut where a page would grow slow."""
    return {"raw": [_raw_part(name, raw) for name, raw in _bodies(request, found.id)]}


def _trace_tab(request: ProjectRequest, found: LoggedRequest) -> dict[str, object]:
    if not found.trace_id:
        raise Http404
    return {"trace": read_trace(request.project, found.trace_id)}


def _similar_tab(request: ProjectRequest, found: LoggedRequest) -> dict[str, object]:
    return {"groups": similar_to(request.project, found)}


def _compare_tab(request: ProjectRequest, found: LoggedRequest) -> dict[str, object]:
    """Beside another request; a mistyped id is told above the field, which keeps it."""
    named = request.GET.get("with", "")
    if not named.strip():
        return {"named": ""}
    try:
        other = find_other(request.project, named)
    except DomainError as problem:
        return {"named": named[:300], "problem": problem}
    return {"named": named[:300], "comparison": compare(found, other)}


def _code_tab(request: ProjectRequest, found: LoggedRequest) -> dict[str, object]:
    """The request as a command and as a program."""
    body = dict(_bodies(request, found.id)).get("request")
    if body is None:
        return {}
    target = target_of(found, public_url=settings.PUBLIC_URL)
    file = f"{found.id}-request.json"
    code = {
        "key": target.key,
        "curl": as_curl(body, target, file=file),
        "python": as_python(body, target),
    }
    return {"code": code}


_TABS = {
    "raw": _raw_tab,
    "code": _code_tab,
    "trace": _trace_tab,
    "similar": _similar_tab,
    "compare": _compare_tab,
}


def _request(request: ProjectRequest, request_id: UUID) -> LoggedRequest:
    found = LoggedRequest.objects.in_project(request.project).defer("search")
    return get_object_or_404(found, id=request_id)


def _bodies(request: ProjectRequest, request_id: UUID) -> list[tuple[str, bytes]]:
    body = body_of(request.project, request_id)
    if body is None:
        return []
    found = bodies.read(body)
    span = raw_span(request.project, request_id)
    parts = [("request", found.request), ("response", found.response), ("span", span)]
    return [(name, raw) for name, raw in parts if raw is not None]


def _raw_part(name: str, raw: bytes) -> dict[str, object]:
    text = raw.decode("utf-8", "replace")
    return {
        "name": name,
        "text": text[:RAW_SHOWN],
        "size": len(raw),
        "cut": len(text) > RAW_SHOWN,
        "is_text": text.encode("utf-8") == raw,
    }
