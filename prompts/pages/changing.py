"""Buttons of a prompt's page: move, split, roll back, protect and remove labels; put away."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST

from prompts import actions
from prompts.models import Prompt
from prompts.names import in_words
from prompts.pages.finding import number_in, prompt_of, to_prompt
from workbench.core.access import ProjectRequest, project_page
from workbench.core.errors import InvalidInput
from workbench.core.models import Role


@require_POST
@project_page(Role.EDITOR)
def move(request: ProjectRequest, name: str) -> HttpResponse:
    """Point a label at a version, or at several by share."""
    prompt = prompt_of(request, name)
    label, sent = request.POST.get("label", "").strip(), request.POST
    moved = actions.set_split(
        prompt, label=label, split=_split(sent), reason=sent.get("reason", ""), **_mover(request)
    )
    messages.success(request, f"{moved} points at version {in_words(moved.shares)}.")
    return to_prompt(prompt)


@require_POST
@project_page(Role.EDITOR)
def roll_back(request: ProjectRequest, name: str) -> HttpResponse:
    """Point a label at what it meant before."""
    prompt = prompt_of(request, name)
    label = request.POST.get("label", "")
    moved = actions.roll_back(prompt, label=label, **_mover(request))
    messages.success(request, f"{moved} points at version {in_words(moved.shares)} again.")
    return to_prompt(prompt)


@require_POST
@project_page(Role.EDITOR)
def remove_label(request: ProjectRequest, name: str) -> HttpResponse:
    """Take a label away."""
    prompt = prompt_of(request, name)
    label = request.POST.get("label", "")
    actions.remove_label(prompt, label=label, **_mover(request))
    messages.success(request, f"Removed {prompt}@{label}.")
    return to_prompt(prompt)


@require_POST
@project_page(Role.OWNER)
def protect(request: ProjectRequest, name: str) -> HttpResponse:
    """Let only owners move a label, or editors again."""
    prompt = prompt_of(request, name)
    protected = request.POST.get("protected") == "1"
    label = request.POST.get("label", "")
    actions.protect_label(prompt, label=label, protected=protected, **_mover(request))
    who = "only owners move it now" if protected else "editors move it again"
    messages.success(request, f"{prompt}@{label}: {who}.")
    return to_prompt(prompt)


@require_POST
@project_page(Role.EDITOR)
def describe(request: ProjectRequest, name: str) -> HttpResponse:
    """Change the description and the tags."""
    prompt = prompt_of(request, name)
    sent = request.POST
    actions.describe(
        prompt,
        description=sent.get("description", ""),
        tags=sent.get("tags", "").split(","),
        **_doer(request),
    )
    messages.success(request, "Saved.")
    return to_prompt(prompt)


@require_POST
@project_page(Role.EDITOR)
def put_away(request: ProjectRequest, name: str) -> HttpResponse:
    """Archive a prompt, take it up again, or delete it."""
    prompt = prompt_of(request, name)
    what = request.POST.get("do", "")
    if what == "delete":
        actions.delete_prompt(prompt, **_doer(request))
        messages.success(request, f"Deleted {prompt} with all its versions.")
        return redirect("prompts:list", project=request.project.slug)
    _put_away(request, prompt, what)
    return to_prompt(prompt)


def _put_away(request: ProjectRequest, prompt: Prompt, what: str) -> None:
    if what == "archive":
        actions.archive(prompt, **_doer(request))
        messages.success(request, f"Archived {prompt}. Apps still get it.")
    elif what == "unarchive":
        actions.unarchive(prompt, **_doer(request))
        messages.success(request, f"{prompt} is in the list again.")
    else:
        raise InvalidInput("Choose to archive, unarchive or delete.")


def _split(sent: Any) -> list[dict[str, int]]:
    """One version; others get the shares told, and it has the rest."""
    first = number_in(sent.get("version", ""))
    if first is None:
        raise InvalidInput("Choose a version.")
    others = [
        {"version": version, "percent": number_in(percent) or 0}
        for version, percent in zip(
            map(number_in, sent.getlist("second")), sent.getlist("percent"), strict=False
        )
        if version is not None
    ]
    rest = 100 - sum(one["percent"] for one in others)
    if rest < 1 or any(one["percent"] < 1 for one in others):
        raise InvalidInput(
            "Give each other version a share of at least 1 %, and leave at least 1 % for "
            f"version {first}."
        )
    return [{"version": first, "percent": rest}, *others]


def _doer(request: ProjectRequest) -> dict[str, Any]:
    return {"by": request.user, "at": timezone.now()}


def _mover(request: ProjectRequest) -> dict[str, Any]:
    return {**_doer(request), "role": request.role}
