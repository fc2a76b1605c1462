"""What was tried becomes a prompt's version, an example, a correction."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from requests_log.datasets.models import Dataset
from workbench.core.access import ProjectRequest, project_page
from workbench.core.errors import InvalidInput
from workbench.core.models import Role
from workbench.shell.playground import actions
from workbench.shell.playground.pages.answering import answers_json, sent, text_in, uuid_in
from workbench.shell.playground.state import read_state


@require_POST
@project_page(Role.EDITOR)
@answers_json
def version(request: ProjectRequest) -> HttpResponse:
    """The messages as the next version of a prompt, or as a new prompt."""
    given = sent(request)
    saved = actions.save_as_version(
        request.project,
        state=read_state(given.get("state")),
        name=text_in(given, "name", most=400),
        message=text_in(given, "message", most=2000),
        with_model=given.get("with_model") is True,
        by=request.user,
        at=timezone.now(),
    )
    number, prompt = saved.version.number, saved.version.prompt
    told = (
        f"Saved as {saved.version}. No label points at it yet."
        if saved.is_new
        else f"Version {number} says exactly this already; nothing was saved."
    )
    url = reverse("prompts:prompt", args=[request.project.slug, prompt.name])
    origin = {"prompt": prompt.name, "version": number}
    return JsonResponse({"message": told, "url": f"{url}?version={number}", "origin": origin})


@require_POST
@project_page(Role.EDITOR)
@answers_json
def example(request: ProjectRequest) -> HttpResponse:
    """An answer, with what was asked, as an example of a dataset."""
    given = sent(request)
    slug = text_in(given, "dataset", most=100)
    if not slug:
        raise InvalidInput("Choose a dataset first. Make one under Datasets if there is none.")
    dataset = get_object_or_404(Dataset.objects.in_project(request.project), slug=slug)
    added = actions.save_as_example(
        request.project, request_id=uuid_in(given.get("request")), dataset=dataset,
        text=_rewritten(given), by=request.user,
    )  # fmt: skip
    told = f"Added to “{dataset}”." if added.added else f"“{dataset}” holds exactly this already."
    url = reverse("datasets:dataset", args=[request.project.slug, dataset.slug])
    return JsonResponse({"message": told, "url": url})


@require_POST
@project_page(Role.EDITOR)
@answers_json
def correction(request: ProjectRequest) -> HttpResponse:
    """An answer as the correction of the logged call that the playground was opened with."""
    given = sent(request)
    corrected = uuid_in(given.get("corrected"))
    actions.save_as_correction(
        request.project,
        corrected=corrected,
        request_id=uuid_in(given.get("request")),
        text=_rewritten(given),
        note=text_in(given, "note"),
        by=request.user,
        at=timezone.now(),
    )
    url = reverse("log:request", args=[request.project.slug, corrected])
    told = "The corrected answer is saved. What was logged is kept beside it."
    return JsonResponse({"message": told, "url": url})


def _rewritten(given: dict[str, Any]) -> str | None:
    """The answer as it stands in the dialog; None when the dialog has none."""
    return text_in(given, "text") if isinstance(given.get("text"), str) else None
