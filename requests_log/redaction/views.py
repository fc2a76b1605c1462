"""The redaction page of a project's settings, and what its versions said."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from requests_log.redaction import forms
from requests_log.redaction.actions import current_version, save_policy
from requests_log.redaction.detectors import DETECTORS
from requests_log.redaction.models import PolicyVersion, Withheld
from requests_log.redaction.preview import preview_calls, preview_text
from requests_log.redaction.rules import Replacement, compiled, read_rules
from workbench.core.access import ProjectRequest, project_page
from workbench.core.errors import DomainError, InvalidInput
from workbench.core.models import Role

VERSIONS_SHOWN = 20
PROPOSED = {"detectors": dict.fromkeys(DETECTORS, Replacement.LABEL.value)}
"""What the form shows before a project has a policy; nothing is in force until it is saved."""


@require_safe
@project_page(Role.VIEWER)
def page(request: ProjectRequest) -> HttpResponse:
    version = current_version(request.project)
    document = version.document if version else PROPOSED
    return _page(request, document, enabled=version.enabled if version else True)


@require_http_methods(["POST"])
@project_page(Role.EDITOR)
def save(request: ProjectRequest) -> HttpResponse:
    document, enabled = forms.posted_document(request.POST), "enabled" in request.POST
    note = request.POST.get("note", "")
    try:
        made = save_policy(
            request.project,
            document=document,
            enabled=enabled,
            note=note,
            by=request.user,
            at=timezone.now(),
        )
    except InvalidInput as problem:
        return _page(request, document, enabled=enabled, problem=problem.sentence, note=note)
    state = "in force" if made.enabled else "kept; the policy is off"
    messages.success(request, f"Version {made.number} is {state}.")
    return redirect("redaction:policy", project=request.project.slug)


@require_POST
@project_page(Role.VIEWER)
def preview(request: ProjectRequest) -> HttpResponse:
    """What the rules in the form would change; stores nothing."""
    try:
        context = {"preview": _preview(request)}
    except DomainError as problem:
        context = {"problem": problem.sentence}
    return render(request, "redaction/parts/preview.html", context)


@require_safe
@project_page(Role.VIEWER)
def version(request: ProjectRequest, number: int) -> HttpResponse:
    """What one version of the policy said."""
    versions = PolicyVersion.objects.in_project(request.project).select_related("author")
    found = get_object_or_404(versions, number=number)
    newest = current_version(request.project)
    context = {"version": found, "is_newest": found == newest, **forms.shown(found.document)}
    return render(request, "redaction/version.html", context)


def _preview(request: ProjectRequest) -> Any:
    rules = read_rules(forms.posted_document(request.POST))
    ruleset = compiled(rules, number=0, project_id=request.project.pk)
    many = request.POST.get("calls", "")
    if many:
        if not many.isdecimal() or len(many) > 4:
            raise InvalidInput("Say how many calls to look at.")
        return preview_calls(request.project, ruleset, many=int(many))
    sample = request.POST.get("sample", "")
    if not sample.strip():
        raise InvalidInput("Paste some text to try the rules on.")
    return preview_text(sample, ruleset)


def _page(
    request: ProjectRequest,
    document: dict[str, Any],
    *,
    enabled: bool,
    problem: str = "",
    note: str = "",
) -> HttpResponse:
    versions = PolicyVersion.objects.in_project(request.project).select_related("author")
    newest = list(versions.newest_first()[:VERSIONS_SHOWN])
    withheld = Withheld.objects.in_project(request.project)
    context = {
        "current": newest[0] if newest else None,
        "versions": newest,
        "withheld_total": withheld.total(),
        "withheld": withheld.newest_first()[:10],
        "enabled": enabled,
        "problem": problem,
        "note": note,
        "may_edit": request.role.allows(Role.EDITOR),
        **forms.shown(document),
    }
    return render(request, "redaction/policy.html", context, status=422 if problem else 200)
