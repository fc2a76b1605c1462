"""The pages of the pairs: how far they are, each beside its chunk, into a dataset."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from evals.documents.finding import making_in, pair_in
from evals.documents.making import deciding
from evals.documents.making.reading import standing_of
from evals.documents.models import Pair
from evals.pipelines.actions import cancel_run, resume_run
from requests_log.datasets.actions import create_dataset
from requests_log.datasets.models import Dataset
from workbench.core.access import ProjectRequest, project_page
from workbench.core.models import Role

SIZE = 50


@require_safe
@project_page(Role.VIEWER)
def pair_list(request: ProjectRequest, set_id: UUID, making_id: UUID) -> HttpResponse:
    """The pairs: `?show=` chooses some, `?after=` goes on behind a number."""
    making = making_in(request.project, set_id, making_id)
    show = request.GET.get("show", "")
    after = request.GET.get("after", "")
    rows = making.pairs.shown_as(show).in_order().select_related("example")
    if after.isdecimal() and len(after) < 10:
        rows = rows.filter(number__gt=int(after))
    found = list(rows[: SIZE + 1])
    context: dict[str, Any] = {
        "found": making.collection,
        "making": making,
        "standing": standing_of(making),
        "pairs": found[:SIZE],
        "next": found[SIZE - 1].number if len(found) > SIZE else None,
        "show": show,
        "datasets": Dataset.objects.in_project(request.project).order_by("name")[:200],
        "tab": "pairs",
    }
    return render(request, "documents/pairs.html", context)


@require_POST
@project_page(Role.EDITOR)
def decide(request: ProjectRequest, set_id: UUID, making_id: UUID, number: int) -> HttpResponse:
    """Keep, drop, or leave it to the verdict again."""
    pair = pair_in(making_in(request.project, set_id, making_id), number)
    decision = request.POST.get("decision", "")
    deciding.decide(pair, decision=decision, by=request.user, at=timezone.now())
    return _row(request, pair, set_id)


@require_http_methods(["GET", "POST"])
@project_page(Role.EDITOR)
def edit(request: ProjectRequest, set_id: UUID, making_id: UUID, number: int) -> HttpResponse:
    """Say a pair in other words."""
    making = making_in(request.project, set_id, making_id)
    pair = pair_in(making, number)
    if request.method == "POST":
        texts = {name: request.POST.get(name, "") for name in ("question", "answer")}
        deciding.change(pair, **texts, by=request.user, at=timezone.now())
        return redirect("documents:pairs", request.project.slug, set_id, making_id)
    context = {"found": making.collection, "making": making, "pair": pair}
    return render(request, "documents/edit.html", context)


@require_POST
@project_page(Role.EDITOR)
def add(request: ProjectRequest, set_id: UUID, making_id: UUID) -> HttpResponse:
    """Add the kept pairs to a dataset of the project, or to a new one."""
    making = making_in(request.project, set_id, making_id)
    slug = request.POST.get("dataset", "")
    if slug:
        dataset = get_object_or_404(Dataset.objects.in_project(request.project), slug=slug)
    else:
        dataset = create_dataset(
            request.project, name=request.POST.get("name", ""), by=request.user
        )
    taken = deciding.add_to_dataset(making, dataset=dataset)
    there = f" {taken.duplicates:,} were there already." if taken.duplicates else ""
    messages.success(request, f"{taken.added:,} examples were added to {dataset}.{there}")
    return redirect("datasets:dataset", request.project.slug, dataset.slug)


@require_POST
@project_page(Role.EDITOR)
def cancel(request: ProjectRequest, set_id: UUID, making_id: UUID) -> HttpResponse:
    making = making_in(request.project, set_id, making_id)
    cancel_run(making.run, at=timezone.now())
    return redirect("documents:pairs", request.project.slug, set_id, making_id)


@require_POST
@project_page(Role.EDITOR)
def resume(request: ProjectRequest, set_id: UUID, making_id: UUID) -> HttpResponse:
    """Go on with what is left, and ask again what failed."""
    making = making_in(request.project, set_id, making_id)
    resume_run(making.run, by=request.user, retry_failed=True)
    return redirect("documents:pairs", request.project.slug, set_id, making_id)


def _row(request: ProjectRequest, pair: Pair, set_id: UUID) -> HttpResponse:
    """The row as it is now (htmx), or back to the list."""
    if not request.headers.get("HX-Request"):
        return redirect("documents:pairs", request.project.slug, set_id, pair.making_id)
    making = making_in(request.project, set_id, pair.making_id)
    context = {"pair": pair, "making": making, "found": making.collection}
    return render(request, "documents/parts/pair.html", context)
