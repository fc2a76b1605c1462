"""The pages that change one example."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from requests_log.datasets import actions, corrected, editing
from requests_log.datasets.canonical import text_of
from requests_log.datasets.finding import dataset_of
from requests_log.datasets.models import Example
from workbench.core.access import ProjectRequest, project_page
from workbench.core.errors import DomainError, InvalidInput
from workbench.core.models import Role


@require_http_methods(["GET", "POST"])
@project_page(Role.EDITOR)
def edit(request: ProjectRequest, slug: str, example_id: UUID) -> HttpResponse:
    """The texts of an example in fields of their own, or all of it as JSON."""
    found = _example(request, slug, example_id)
    problem = ""
    if request.method == "POST":
        try:
            row = edited_row(found.content.body, request.POST)
            editing.edit_example(found, row=row, by=request.user, at=timezone.now())
        except DomainError as refused:
            problem = refused.sentence
        else:
            messages.success(request, "Saved. The original is kept.")
            return redirect("datasets:example", request.project.slug, slug, example_id)
    body = found.content.body
    context = {
        "dataset": found.dataset,
        "example": found,
        "problem": problem,
        "fields": _fields(body, request.POST),
        "whole": request.POST.get("json") or json.dumps(body, ensure_ascii=False, indent=2),
        "as_json": "json" in request.POST or request.GET.get("as") == "json",
    }
    status = 422 if problem else 200
    return render(request, "datasets/edit_example.html", context, status=status)


@require_POST
@project_page(Role.EDITOR)
def restore(request: ProjectRequest, slug: str, example_id: UUID) -> HttpResponse:
    found = _example(request, slug, example_id)
    editing.restore_example(found, by=request.user, at=timezone.now())
    messages.success(request, "The example is as it was added.")
    return redirect("datasets:example", request.project.slug, slug, example_id)


@require_POST
@project_page(Role.EDITOR)
def remove(request: ProjectRequest, slug: str, example_id: UUID) -> HttpResponse:
    found = _example(request, slug, example_id)
    actions.remove_examples(found.dataset, ids=[found.pk])
    messages.success(request, "Removed. Frozen versions keep theirs.")
    return redirect("datasets:dataset", request.project.slug, slug)


@require_POST
@project_page(Role.EDITOR)
def take_correction(request: ProjectRequest, slug: str, example_id: UUID) -> HttpResponse:
    """Give the example the answer its request was corrected to."""
    found = _example(request, slug, example_id)
    corrected.take_correction(found, by=request.user, at=timezone.now())
    messages.success(request, "The correction is taken over. Frozen versions keep what they have.")
    return redirect("datasets:example", request.project.slug, slug, example_id)


@require_POST
@project_page(Role.EDITOR)
def take_corrections(request: ProjectRequest, slug: str) -> HttpResponse:
    """The same for every example of the dataset."""
    found = dataset_of(request, slug)
    done = corrected.take_corrections(found, by=request.user, at=timezone.now())
    messages.success(request, done.sentence)
    return redirect("datasets:dataset", request.project.slug, slug)


def edited_row(body: Mapping[str, Any], form: Mapping[str, str]) -> object:
    """The row that a form makes of an example's content.

    Raises:
        InvalidInput: the JSON cannot be read.
    """
    if "json" in form:
        try:
            return json.loads(form["json"])
        except (ValueError, RecursionError) as problem:
            raise InvalidInput(f"This is not JSON: {problem}.") from problem
    row: dict[str, Any] = json.loads(json.dumps(body))
    for name, place, key in _places(row):
        if name in form:
            place[key] = _kept(place.get(key), form[name])
    return row


def _places(row: dict[str, Any]) -> list[tuple[str, dict[str, Any], str]]:
    """The fields of a form, and where in a row each one's text stands."""
    found = [
        (f"content.{number}", message, "content")
        for number, message in enumerate(row.get("messages", ()))
        if message.get("content") is None or isinstance(message["content"], str)
    ]
    rejected = row.get("rejected")
    if isinstance(rejected, dict) and not isinstance(rejected.get("content"), list):
        found.append(("rejected", rejected, "content"))
    found += [(name, row, name) for name in ("title", "text") if name in row]
    return found


def _kept(old: object, new: str) -> object:
    """Browsers send every line end as CR LF: a text that is otherwise the same stays as it was."""
    new = new.replace("\r\n", "\n")
    if old is None and not new:
        return None
    same = isinstance(old, str) and old.replace("\r\n", "\n").replace("\r", "\n") == new
    return old if same else new


def _fields(body: dict[str, Any], form: Mapping[str, str]) -> list[dict[str, str]]:
    fields = []
    for name, place, key in _places(body):
        label = "rejected answer" if name == "rejected" else place.get("role", key)
        text = form.get(name, text_of(place.get(key)))
        fields.append({"name": name, "label": label, "text": text})
    return fields


def _example(request: ProjectRequest, slug: str, example_id: UUID) -> Example:
    rows = Example.objects.in_dataset(dataset_of(request, slug))
    return get_object_or_404(rows.select_related("content", "dataset"), pk=example_id)
