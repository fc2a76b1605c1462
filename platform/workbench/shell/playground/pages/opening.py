"""The playground's page: empty, filled from somewhere, or as somebody left it."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from prompts.content import ROLES
from prompts.models import Prompt
from workbench.core.access import ProjectRequest, project_page
from workbench.core.errors import DomainError, NotFound
from workbench.core.models import Role
from workbench.providers.models import Connection
from workbench.providers.refs import known_refs
from workbench.shell.playground import opening
from workbench.shell.playground.filling import datasets_of
from workbench.shell.playground.models import Trial
from workbench.shell.playground.pages.answering import uuid_in
from workbench.shell.playground.state import Document, State

RECENT = 12
MOST_PROMPTS = 500


@require_safe
@project_page(Role.VIEWER)
def page(request: ProjectRequest) -> HttpResponse:
    """`?request=`, `?prompt=` with `&version=`, `?example=` fill it; `?model=` names the model."""
    try:
        state = _asked_for(request)
    except NotFound as problem:
        raise Http404(problem.sentence) from problem
    except DomainError:
        raise Http404 from None
    return _page(request, state.as_json())


@require_safe
@project_page(Role.VIEWER)
def trial(request: ProjectRequest, trial_id: str) -> HttpResponse:
    """What somebody of the project ran last under this id."""
    found = Trial.objects.in_project(request.project).select_related("created_by")
    opened = get_object_or_404(found, pk=trial_id)
    return _page(request, opened.state, opened)


def _asked_for(request: ProjectRequest) -> State:
    project, asked = request.project, request.GET
    if asked.get("request"):
        is_prompt = asked.get("as") == "prompt"
        read = opening.from_request_s_prompt if is_prompt else opening.from_request
        return read(project, uuid_in(asked["request"]))
    if asked.get("prompt"):
        version = asked.get("version", "")
        number = int(version) if version.isdecimal() and len(version) < 10 else None
        return opening.from_prompt(project, asked["prompt"], number)
    if asked.get("example"):
        return opening.from_example(project, uuid_in(asked["example"]))
    return State(messages=[{"role": "user", "content": ""}])


def _page(request: ProjectRequest, state: Document, opened: Trial | None = None) -> HttpResponse:
    project = request.project
    refs = known_refs(project)
    _choose_model(state, refs, request.GET.get("model", ""))
    mine = Trial.objects.in_project(project).of(request.user).for_list()
    prompts = Prompt.objects.in_project(project).current().by_name()
    context = {
        "state": state,
        "trial": opened,
        "is_mine": opened is None or opened.created_by == request.user,
        "recent": mine.newest_first()[:RECENT],
        "refs": refs,
        "has_models": refs or Connection.objects.in_project(project).exists(),
        "datasets": datasets_of(project),
        "prompt_names": prompts.values_list("name", flat=True)[:MOST_PROMPTS],
        "roles": [*ROLES, "messages"],
        "addresses": _addresses(project.slug),
        "origin": _origin(state, request),
    }
    return render(request, "shell/playground.html", context)


def _choose_model(state: Document, refs: list[str], wanted: str) -> None:
    """A column to begin with."""
    state["columns"] = state.get("columns") or [{"model": "", "own": "", "result": None}]
    first = state["columns"][0]
    first["model"] = wanted or first["model"] or next(iter(refs), "")


def _addresses(slug: str) -> dict[str, str]:
    """Where the page's scripts ask."""
    names = ("check", "run", "complete", "save", "values", "raw", "verdict", "version", "example")
    found = {name: reverse(f"shell:playground-{name}", args=[slug]) for name in names}
    return found | {
        "correction": reverse("shell:playground-correction", args=[slug]),
        "page": reverse("shell:playground", args=[slug]),
        "log": reverse("log:list", args=[slug]),
    }


def _origin(state: Document, request: ProjectRequest) -> dict[str, Any]:
    """Where it came from, for the line above the messages."""
    origin = state.get("origin") or {}
    found: dict[str, Any] = dict(origin)
    if origin.get("request") and "prompt" not in origin:
        found["with_prompt"] = opening.has_prompt(request.project, str(origin["request"]))
    return found
