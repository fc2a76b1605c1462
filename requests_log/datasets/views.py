"""The pages of datasets: list, one dataset with its tabs, one example, freezing."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from requests_log.bulk.answers import done, refreshed
from requests_log.datasets import actions
from requests_log.datasets.corrected import newer_words
from requests_log.datasets.finding import dataset_of
from requests_log.datasets.forms import DatasetForm, FreezeForm
from requests_log.datasets.models import Dataset, DatasetVersion, Example
from requests_log.datasets.picking import add_requests
from requests_log.datasets.tags import (
    TagCount,
    ids_of,
    read_lines,
    read_tags,
    tag_counts,
    tag_examples,
    written,
)
from requests_log.selection import posted
from requests_log.tagging import read_tagging
from workbench.core.access import ProjectRequest, project_page
from workbench.core.errors import InvalidInput
from workbench.core.models import Role
from workbench.core.paging import page_of


@require_GET
@project_page(Role.VIEWER)
def dataset_list(request: ProjectRequest) -> HttpResponse:
    """A page of the datasets; `?q=` searches their names and descriptions."""
    query = request.GET.get("q", "").replace("\x00", "")[:200]
    there = Dataset.objects.in_project(request.project)
    found = there.matching(query).with_counts()
    page = page_of(found, before=request.GET.get("before", ""), after=request.GET.get("after", ""))
    context = {"page": page, "query": query, "total": there.count()}
    return render(request, "datasets/list.html", context)


@require_http_methods(["GET", "POST"])
@project_page(Role.EDITOR)
def new(request: ProjectRequest) -> HttpResponse:
    form = DatasetForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        made = actions.create_dataset(request.project, by=request.user, **form.cleaned_data)
        return redirect("datasets:dataset", project=request.project.slug, slug=made.slug)
    return render(request, "datasets/new.html", {"form": form}, status=422 if form.errors else 200)


@require_GET
@project_page(Role.VIEWER)
def dataset(request: ProjectRequest, slug: str) -> HttpResponse:
    """The examples; `?tag=` (name:value), once or more, shows those that are tagged so."""
    found = dataset_of(request, slug)
    examples = Example.objects.in_dataset(found)
    tags = read_tags(request.GET.getlist("tag"))
    shown = examples.tagged(tags)
    rows = shown.select_related("content").defer("content__payload").with_corrected_since()
    page = page_of(rows, before=request.GET.get("before", ""), after=request.GET.get("after", ""))
    context = {
        "dataset": found,
        "tab": "examples",
        "page": page,
        "tags": [TagCount(name, value, 0) for name, value in tags.items()],
        "tag_counts": tag_counts(found),
        "total": shown.count() if tags else None,
        "chosen_by": "\n".join(written(*tag) for tag in tags.items()),
        "corrected": examples.corrected_since(request.project).count(),
    }
    return render(request, "datasets/examples.html", context)


@require_GET
@project_page(Role.VIEWER)
def versions(request: ProjectRequest, slug: str) -> HttpResponse:
    found = dataset_of(request, slug)
    listed = DatasetVersion.objects.filter(dataset=found).select_related("created_by")
    context = {
        "dataset": found,
        "tab": "versions",
        "versions": list(listed.newest_first()),
        "form": FreezeForm(initial={"tags": "\n".join(request.GET.getlist("tag"))}),
        "tag_counts": tag_counts(found),
    }
    return render(request, "datasets/versions.html", context)


@require_POST
@project_page(Role.EDITOR)
def freeze(request: ProjectRequest, slug: str) -> HttpResponse:
    found = dataset_of(request, slug)
    form = FreezeForm(request.POST)
    if not form.is_valid():
        raise InvalidInput("The held-out share must be a number from 0 to 90.")
    heldout = form.cleaned_data["heldout"]
    made = actions.freeze_version(
        found,
        by=request.user,
        at=timezone.now(),
        split=(100 - heldout, heldout),
        notes=form.cleaned_data["notes"],
        filter_text=form.cleaned_data["filter_text"],
        tags=read_lines(form.cleaned_data["tags"]),
    )
    messages.success(request, f"Froze {made}: {made.row_count:,} rows.")
    return redirect("datasets:versions", project=request.project.slug, slug=slug)


@require_GET
@project_page(Role.VIEWER)
def example(request: ProjectRequest, slug: str, example_id: UUID) -> HttpResponse:
    found = dataset_of(request, slug)
    rows = Example.objects.in_dataset(found).select_related("content", "source", "dataset")
    one = get_object_or_404(rows.with_corrected_since(), pk=example_id)
    edits = one.edits.select_related("content", "edited_by").order_by("-pk")
    context = {"dataset": found, "example": one, "edits": edits[:20], "newer": newer_words(one)}
    part = "inspector" if request.GET.get("part") == "inspector" else "example"
    return render(request, f"datasets/{part}.html", context)


@require_POST
@project_page(Role.EDITOR)
def remove(request: ProjectRequest, slug: str) -> HttpResponse:
    """Take the selected examples out of the dataset."""
    found = dataset_of(request, slug)
    removed = actions.remove_examples(found, ids=_selected(request, found))
    messages.success(request, f"Removed {removed:,}. Frozen versions keep theirs.")
    return refreshed(request, reverse("datasets:dataset", args=[request.project.slug, slug]))


@require_POST
@project_page(Role.EDITOR)
def tag(request: ProjectRequest, slug: str) -> HttpResponse:
    """Set a tag on the selected examples, or with `remove` take it off."""
    found, form = dataset_of(request, slug), request.POST
    value = None if "remove" in form else form.get("value", "")
    tagging = read_tagging(form.get("name", ""), value)
    changed = tag_examples(found, ids=_selected(request, found), tagging=tagging)
    messages.success(request, f"{tagging.sentence}: {changed:,} examples changed.")
    return refreshed(request, reverse("datasets:dataset", args=[request.project.slug, slug]))


@require_GET
@project_page(Role.EDITOR)
def pick(request: ProjectRequest) -> HttpResponse:
    """The fields that choose a dataset, for the dialog of the log's selection bar."""
    found = Dataset.objects.in_project(request.project).with_counts().newest_first()[:200]
    return render(request, "datasets/parts/pick.html", {"datasets": found})


@require_POST
@project_page(Role.EDITOR)
def add_selected(request: ProjectRequest) -> HttpResponse:
    """Add the log's selection to a dataset, made on the way if it is new."""
    form = request.POST
    selection = posted(request.POST, at=timezone.now())
    selection.rows(request.project)  # a broken query is told before a dataset is made
    if name := form.get("name", "").strip():
        target = actions.create_dataset(request.project, name=name, by=request.user)
    else:
        target = dataset_of(request, form.get("dataset", ""))
    action = add_requests(target, selection=selection, by=request.user, at=timezone.now())
    return done(request, action, back=reverse("log:list", args=[request.project.slug]))


def _selected(request: ProjectRequest, found: Dataset) -> Sequence[UUID]:
    """The selected examples: these, or all that are tagged so but some."""
    selection = posted(request.POST, at=timezone.now())
    if request.POST.get("all") != "1":
        return selection.ids
    wanted = request.POST.get("q", "")
    spared = set(selection.excluded)
    tags = read_tags(wanted.splitlines())
    return [pk for pk in ids_of(found, tags) if pk not in spared]


@require_GET
@project_page(Role.VIEWER)
def of_request(request: ProjectRequest, request_id: UUID) -> HttpResponse:
    """Which datasets and frozen versions a logged request is in, for its page."""
    examples = Example.objects.from_request(request.project, request_id).select_related("dataset")
    examples = examples.with_corrected_since()
    frozen = DatasetVersion.objects.in_project(request.project).containing_request(request_id)
    context = {
        "examples": examples.newest_first(),
        "versions": frozen.select_related("dataset").order_by("-pk"),
    }
    return render(request, "datasets/parts/of_request.html", context)
