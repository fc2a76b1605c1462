"""The pages of rating forms: list, one with its versions, the editor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from evals.human.actions import save_form, save_form_version
from evals.human.fields import MOST_FIELDS, BadField, RatingField, read_fields
from evals.human.forms import changed, field_forms, posted_fields
from evals.human.models import RatingForm, RatingFormVersion
from evals.human.showing import Asked
from workbench.core.access import ProjectRequest, project_page
from workbench.core.errors import DomainError
from workbench.core.models import Role
from workbench.core.paging import page_of

LISTED = 50
USUAL: Sequence[Mapping[str, Any]] = (
    {"kind": "stars", "title": "How helpful is the answer?", "required": True},
    {"kind": "yes_no", "title": "Is everything it says true?", "required": True},
    {"kind": "text", "title": "What should be different?", "required": False},
)
"""What the editor of a new form begins with."""


@require_safe
@project_page(Role.VIEWER)
def form_list(request: ProjectRequest) -> HttpResponse:
    forms = RatingForm.objects.in_project(request.project)
    page = page_of(forms, before=request.GET.get("before", ""), size=LISTED)
    newest = RatingFormVersion.objects.filter(form__in=page.rows).newest_of_each()
    context = {"page": page, "rows": list(newest.select_related("form", "created_by"))[::-1]}
    return render(request, "human/forms.html", context)


@require_http_methods(["GET", "POST"])
@project_page(Role.EDITOR)
def new_form(request: ProjectRequest) -> HttpResponse:
    if request.method == "GET":
        return _editor(request, list(USUAL), name="")
    fields = posted_fields(request.POST)
    name = request.POST.get("name", "")
    if operation := request.POST.get("op"):
        return _editor(request, changed(fields, operation), name=name)
    try:
        made = save_form(request.project, name=name, fields=fields, by=request.user)
    except DomainError as problem:
        return _editor(request, fields, name=name, problem=problem.sentence)
    return redirect("human:form", request.project.slug, made.form_id)


@require_http_methods(["GET", "POST"])
@project_page(Role.EDITOR)
def edit_form(request: ProjectRequest, form_id: UUID) -> HttpResponse:
    """Saving makes the next version."""
    form = _form(request, form_id)
    if request.method == "GET":
        return _editor(request, _version(form, "").fields, name=form.name, form=form)
    fields = posted_fields(request.POST)
    if operation := request.POST.get("op"):
        return _editor(request, changed(fields, operation), name=form.name, form=form)
    try:
        made = save_form_version(form, fields=fields, by=request.user)
    except DomainError as problem:
        return _editor(request, fields, name=form.name, form=form, problem=problem.sentence)
    messages.success(request, f"Saved as version {made.number}.")
    return redirect("human:form", request.project.slug, form.pk)


@require_POST
@project_page(Role.EDITOR)
def preview(request: ProjectRequest) -> HttpResponse:
    """What raters will see of what stands in the editor."""
    return render(request, "human/parts/preview.html", _previewed(posted_fields(request.POST)))


@require_safe
@project_page(Role.VIEWER)
def form_page(request: ProjectRequest, form_id: UUID) -> HttpResponse:
    """A form as raters see it; `?version=` shows an older one."""
    form = _form(request, form_id)
    shown = _version(form, request.GET.get("version", ""))
    context = {
        "form": form,
        "shown": shown,
        "asked": previewed(shown.questions),
        "versions": form.versions.newest_first().select_related("created_by"),
        "studies": shown.studies.newest_first()[:LISTED],
    }
    return render(request, "human/form.html", context)


def _form(request: ProjectRequest, form_id: UUID) -> RatingForm:
    return get_object_or_404(RatingForm.objects.in_project(request.project), pk=form_id)


def _version(form: RatingForm, number: str) -> RatingFormVersion:
    versions = form.versions.newest_first()
    if number.isdecimal() and len(number) < 9:
        versions = versions.filter(number=number)
    found = versions.first()
    if found is None:
        raise Http404("The form has no such version.")
    return found


def _editor(
    request: ProjectRequest,
    fields: Sequence[Mapping[str, Any]],
    *,
    name: str,
    form: RatingForm | None = None,
    problem: str = "",
) -> HttpResponse:
    context = {
        "form": form,
        "name": name,
        "editors": field_forms(fields),
        "is_full": len(fields) >= MOST_FIELDS,
        "problem": problem,
        **_previewed(fields),
    }
    return render(request, "human/edit_form.html", context, status=422 if problem else 200)


def _previewed(fields: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    try:
        return {"asked": previewed(read_fields(fields)), "fault": ""}
    except BadField as problem:
        return {"asked": [], "fault": str(problem)}


def previewed(fields: Sequence[RatingField]) -> list[Asked]:
    """The fields as raters see them, outside of any study."""
    return [Asked(one, f"preview-{one.key}", is_preview=True) for one in fields]
