"""The pages of what Postgres refused: the list, one event, storing again, giving up."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from requests_log.models import Quarantined
from requests_log.quarantine.actions import MAX_REASON, discard, replay, replay_all
from workbench.core.access import ProjectRequest, project_page
from workbench.core.models import Role
from workbench.core.paging import page_of

SHOWN = 100_000
"""Characters of a document that the page shows; the whole is a download."""

PART_NAMES = {
    "request": ("request", "response", "variables"),
    "span": ("input", "output", "attributes"),
    "score": ("", "", ""),
}


@require_GET
@project_page(Role.VIEWER)
def quarantine_list(request: ProjectRequest) -> HttpResponse:
    rows = Quarantined.objects.in_project(request.project)
    tab = "discarded" if request.GET.get("tab") == "discarded" else "waiting"
    found = rows.discarded() if tab == "discarded" else rows.waiting()
    page = page_of(
        found.for_list(),
        before=request.GET.get("before", ""),
        after=request.GET.get("after", ""),
    )
    context = {"page": page, "tab": tab, "waiting": rows.waiting().count()}
    return render(request, "requests_log/quarantine.html", context)


@require_GET
@project_page(Role.VIEWER)
def quarantine_event(request: ProjectRequest, kind: str, event_id: UUID) -> HttpResponse:
    kept = _kept(request, kind, event_id)
    facts = json.loads(bytes(kept.facts)) if kept.facts else {}
    context = {
        "kept": kept,
        "facts": {name: value for name, value in facts.items() if value not in (None, {}, [])},
        "parts": [_shown(name, raw) for name, raw in _parts(kept).items()],
        "max_reason": MAX_REASON,
    }
    return render(request, "requests_log/quarantined.html", context)


@require_GET
@project_page(Role.VIEWER)
def quarantine_download(
    request: ProjectRequest, kind: str, event_id: UUID, part: str
) -> HttpResponse:
    """The exact bytes of one document of the event."""
    raw = _parts(_kept(request, kind, event_id)).get(part)
    if raw is None:
        raise Http404
    name = f"{event_id}-{part}.json"
    return HttpResponse(
        raw,
        content_type="application/octet-stream",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@require_POST
@project_page(Role.EDITOR)
def replay_one(request: ProjectRequest, kind: str, event_id: UUID) -> HttpResponse:
    replay(_kept(request, kind, event_id))
    messages.success(request, "The event is in the log now.")
    return redirect("log:quarantine", project=request.project.slug)


@require_POST
@project_page(Role.EDITOR)
def replay_everything(request: ProjectRequest) -> HttpResponse:
    done = replay_all(request.project, by=request.user)
    sentence = (
        f"{done.stored:,} stored, {done.refused:,} refused again."
        if done.job is None
        else "It goes on in the background; see the jobs at the top."
    )
    messages.success(request, sentence)
    return redirect("log:quarantine", project=request.project.slug)


@require_POST
@project_page(Role.EDITOR)
def discard_one(request: ProjectRequest, kind: str, event_id: UUID) -> HttpResponse:
    kept = _kept(request, kind, event_id)
    reason = request.POST.get("reason", "")
    discard(kept, reason=reason, by=str(request.user), at=timezone.now())
    messages.success(request, "The event was given up; the list of discarded ones says why.")
    return redirect("log:quarantine", project=request.project.slug)


def _kept(request: ProjectRequest, kind: str, event_id: UUID) -> Quarantined:
    rows = Quarantined.objects.in_project(request.project)
    return get_object_or_404(rows, kind=kind, id=event_id)


def _parts(kept: Quarantined) -> dict[str, bytes]:
    """The event's documents by name."""
    documents = (kept.request, kept.response, kept.variables)
    named = zip(PART_NAMES[kept.kind], documents, strict=True)
    return {name: bytes(raw) for name, raw in named if raw is not None}


def _shown(name: str, raw: bytes) -> dict[str, Any]:
    text = raw.decode("utf-8", "replace")
    return {"name": name, "text": text[:SHOWN], "size": len(raw), "cut": len(text) > SHOWN}
