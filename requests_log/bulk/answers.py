"""What a page answers after a bulk action: what happened, and a button that undoes it."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html

from requests_log.bulk.actions import sentence
from requests_log.bulk.models import BulkAction
from workbench.core.access import ProjectRequest

_UNDO = (
    '{} <button class="button button--small" type="button" data-key="u" data-undo hx-post="{}" '
    'hx-swap="none">Undo <kbd class="kbd">U</kbd></button>'
)


def done(request: ProjectRequest, action: BulkAction, *, back: str = "") -> HttpResponse:
    """Show the page again and tell what the action did, or that a job does it."""
    said = sentence(action)
    if action.can_be_undone:
        url = reverse("log:undo-bulk", args=[request.project.slug, action.pk])
        messages.success(request, format_html(_UNDO, said, url))
    else:
        messages.success(request, said)
    return refreshed(request, back or reverse("log:list", args=[request.project.slug]))


def refreshed(request: ProjectRequest, url: str) -> HttpResponse:
    """Show the page again, with the message: by htmx's reload, or by a redirect without it."""
    if request.headers.get("HX-Request"):
        return HttpResponse(status=204, headers={"HX-Refresh": "true"})
    return HttpResponseRedirect(url)
