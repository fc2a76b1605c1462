"""The page on which a teacher is chosen, tried on one chunk, priced and started."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from evals.documents.asking import AS_TEXT, FORMS, VARIABLES
from evals.documents.finding import set_in
from evals.documents.forms import AskingForm
from evals.documents.making.starting import priced, start_pairs, tried
from evals.documents.models import DocumentSet
from prompts.models import Prompt
from workbench.core.access import ProjectRequest, project_page
from workbench.core.errors import DomainError
from workbench.core.models import Role
from workbench.providers.refs import known_refs

MOST_PROMPTS = 200


@require_http_methods(["GET", "POST"])
@project_page(Role.EDITOR)
def ask(request: ProjectRequest, set_id: UUID) -> HttpResponse:
    """The form; `try` in what was sent asks about one chunk only, anything else starts the run."""
    found = set_in(request.project, set_id)
    if request.method == "GET":
        asked = FORMS.get(request.GET.get("form", ""), AS_TEXT)
        return _page(request, found, AskingForm(request.project, initial={"user": asked}))
    form = AskingForm(request.project, request.POST)
    context: dict[str, Any] = {}
    if form.is_valid():
        try:
            if "try" not in request.POST:
                made = start_pairs(
                    found, asking=form.asking(), by=request.user, budget=form.cleaned_data["budget"]
                )
                return redirect("documents:pairs", request.project.slug, set_id, made.pk)
            context["tried"] = tried(found, form.asking(), form.cleaned_data["number"] or 1)
        except DomainError as problem:
            form.add_error(None, problem.sentence)
    return _page(request, found, form, status=422 if form.errors else 200, **context)


@require_POST
@project_page(Role.EDITOR)
def price(request: ProjectRequest, set_id: UUID) -> HttpResponse:
    """What the run would cost, as a part of the page."""
    form = AskingForm(request.project, request.POST)
    context: dict[str, Any] = {}
    if form.is_valid():
        try:
            context["estimate"] = priced(set_in(request.project, set_id), form.asking())
        except DomainError as problem:
            context["problem"] = problem.sentence
    return render(request, "documents/parts/price.html", context)


def _page(
    request: ProjectRequest, found: DocumentSet, form: AskingForm, *, status: int = 200, **more: Any
) -> HttpResponse:
    context = {
        "found": found,
        "form": form,
        "tab": "ask",
        "refs": known_refs(request.project),
        "variables": VARIABLES,
        "prompts": Prompt.objects.in_project(request.project).by_name()[:MOST_PROMPTS],
        **more,
    }
    return render(request, "documents/ask.html", context, status=status)
