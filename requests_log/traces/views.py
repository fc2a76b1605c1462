"""The pages of traces: a tree with its times, and one step of it."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from requests_log import bodies
from requests_log.models import LoggedSpan
from requests_log.otlp.kept import raw_span
from requests_log.traces.tree import MOST_ROWS, read_trace
from workbench.core.access import ProjectRequest, project_page
from workbench.core.models import Role

SHOWN = 200_000
"""Bytes of a document that a page shows."""


@require_GET
@project_page(Role.VIEWER)
def trace_page(request: ProjectRequest) -> HttpResponse:
    """A whole trace, whether it holds a request or not."""
    trace = read_trace(request.project, request.GET.get("id", ""))
    if trace is None:
        raise Http404("Nothing of this trace is stored.")
    context = {"trace": trace, "most": MOST_ROWS, "opened": request.GET.get("open", "")}
    return render(request, "requests_log/traces/trace.html", context)


@require_GET
@project_page(Role.VIEWER)
def span_page(request: ProjectRequest, span_id: UUID) -> HttpResponse:
    return render(request, "requests_log/traces/span.html", _step(request, span_id))


@require_GET
@project_page(Role.VIEWER)
def inspect_span(request: ProjectRequest, span_id: UUID) -> HttpResponse:
    """The span for the column at the right of the tree."""
    return render(request, "requests_log/traces/inspector.html", _step(request, span_id))


def _step(request: ProjectRequest, span_id: UUID) -> dict[str, object]:
    span = get_object_or_404(LoggedSpan.objects.in_project(request.project), id=span_id)
    documents = bodies.read_span(span)
    told = {
        "Input": documents.input,
        "Output": documents.output,
        "Attributes": documents.attributes,
        "As OpenTelemetry sent it": raw_span(request.project, span_id),
    }
    parts = [
        {"name": name, "text": raw[:SHOWN].decode("utf-8", "replace"), "is_cut": len(raw) > SHOWN}
        for name, raw in told.items()
        if raw is not None
    ]
    return {"span": span, "parts": parts}
