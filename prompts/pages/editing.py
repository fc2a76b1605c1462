"""Pages to write: a new prompt, a new version."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from prompts.actions import Saved, create_prompt, save_version
from prompts.content import content_of
from prompts.editing import CHOICES, Draft, draft_from, draft_of
from prompts.models import Prompt
from prompts.pages.finding import number_in, prompt_of, to_prompt
from prompts.resolving import version_of
from workbench.core.access import ProjectRequest, project_page
from workbench.core.errors import DomainError
from workbench.core.models import Role


@require_http_methods(["GET", "POST"])
@project_page(Role.EDITOR)
def new(request: ProjectRequest) -> HttpResponse:
    """A prompt's first version; `?kind=text` for a text in the place of messages."""
    wanted = request.GET.get("kind", "")
    kind = Prompt.Kind.TEXT if wanted == Prompt.Kind.TEXT else Prompt.Kind.CHAT
    if request.method != "POST":
        folder = request.GET.get("folder", "").strip("/")
        return _form(request, Draft(kind, name=f"{folder}/" if folder else ""))
    draft = draft_from(request.POST, kind=kind)
    if "more" in request.POST:
        return _form(request, draft)
    try:
        saved = create_prompt(
            request.project, name=draft.name.strip(), content=draft.content(), by=request.user,
            at=timezone.now(), message=draft.message, description=draft.description,
            tags=draft.tags.split(","),
        )  # fmt: skip
    except DomainError as problem:
        return _form(request, draft, problem=problem.sentence)
    return _to(request, saved)


@require_http_methods(["GET", "POST"])
@project_page(Role.EDITOR)
def edit(request: ProjectRequest, name: str) -> HttpResponse:
    """The next version, written from the newest or from `?version=`."""
    prompt = prompt_of(request, name)
    if request.method != "POST":
        number = number_in(request.GET.get("version", "")) or prompt.versions_made
        start = version_of(prompt, number)
        return _form(request, draft_of(content_of(start)), prompt=prompt)
    draft = draft_from(request.POST, kind=prompt.kind)
    if "more" in request.POST:
        return _form(request, draft, prompt=prompt)
    try:
        saved = save_version(
            prompt, content=draft.content(), by=request.user, at=timezone.now(),
            message=draft.message,
        )  # fmt: skip
    except DomainError as problem:
        return _form(request, draft, prompt=prompt, problem=problem.sentence)
    return _to(request, saved)


def _form(
    request: ProjectRequest, draft: Draft, *, prompt: Prompt | None = None, problem: str = ""
) -> HttpResponse:
    context = {"draft": draft, "prompt": prompt, "problem": problem, "roles": CHOICES}
    return render(request, "prompts/edit.html", context, status=422 if problem else 200)


def _to(request: ProjectRequest, saved: Saved) -> HttpResponse:
    number = saved.version.number
    if saved.is_new:
        messages.success(request, f"Saved {saved.version}. No label points at it yet.")
    else:
        messages.info(request, f"Version {number} says exactly this already; nothing was saved.")
    return to_prompt(saved.version.prompt, number=number)
