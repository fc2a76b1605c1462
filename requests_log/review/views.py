"""The pages of the review queue."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from requests_log.bulk.answers import done
from requests_log.datasets.models import Dataset
from requests_log.feedback.correcting import read_answer
from requests_log.review import actions
from requests_log.review.filling import fill, policy_of, send_to_review
from requests_log.review.forms import PolicyForm
from requests_log.review.models import Item
from requests_log.review.progress import agreements, progress_of
from requests_log.review.showing import shown
from requests_log.review.taking import take
from requests_log.selection import posted
from workbench.core.access import ProjectRequest, project_page
from workbench.core.models import Role

MOST_DATASETS = 200


@require_GET
@project_page(Role.VIEWER)
def queue(request: ProjectRequest) -> HttpResponse:
    """The page; what is on it is taken by the POST it makes, since reading takes nothing.

    Whoever may not review is led on to what may be seen.
    """
    if not request.role.allows(Role.EDITOR):
        return redirect("review:agreement", project=request.project.slug)
    return render(request, "review/queue.html", {"tab": "queue"})


@require_POST
@project_page(Role.EDITOR)
def next_item(request: ProjectRequest) -> HttpResponse:
    """Let in what arrived, take items and show the first."""
    fill(request.project, at=timezone.now())
    return _work(request)


@require_POST
@project_page(Role.EDITOR)
def accept(request: ProjectRequest, item_id: UUID) -> HttpResponse:
    """Accept the answer as it stands in the editor."""
    content = request.POST.get("content", "").replace("\r\n", "\n")  # browsers send line ends so
    calls = request.POST.get("tool_calls", "")
    actions.accept(
        _item(request, item_id),
        by=request.user,
        at=timezone.now(),
        answer=read_answer(content, calls) if content.strip() or calls.strip() else None,
        dataset=_chosen(request),
    )
    return _work(request)


@require_POST
@project_page(Role.EDITOR)
def reject(request: ProjectRequest, item_id: UUID) -> HttpResponse:
    reason = request.POST.get("reason") or request.POST.get("other", "")
    actions.reject(_item(request, item_id), by=request.user, at=timezone.now(), reason=reason)
    return _work(request)


@require_POST
@project_page(Role.EDITOR)
def skip(request: ProjectRequest, item_id: UUID) -> HttpResponse:
    actions.skip(_item(request, item_id), by=request.user, at=timezone.now())
    return _work(request)


@require_POST
@project_page(Role.EDITOR)
def undo(request: ProjectRequest) -> HttpResponse:
    """Take one's last verdict back; its item is shown again."""
    undone = actions.undo(request.project, by=request.user, at=timezone.now())
    return _work(request, first=undone.step.item_id, said=undone.sentence)


@require_POST
@project_page(Role.EDITOR)
def send_selected(request: ProjectRequest) -> HttpResponse:
    """Put the log's selection into the queue."""
    at = timezone.now()
    selection = posted(request.POST, at=at)
    return done(
        request, send_to_review(request.project, selection=selection, by=request.user, at=at)
    )


@require_GET
@project_page(Role.VIEWER)
def agreement_page(request: ProjectRequest) -> HttpResponse:
    overall, pairs = agreements(request.project)
    context = {
        "tab": "agreement",
        "overall": overall,
        "pairs": pairs,
        "policy": policy_of(request.project),
    }
    return render(request, "review/agreement.html", context)


@require_http_methods(["GET", "POST"])
@project_page(Role.EDITOR)
def policy(request: ProjectRequest) -> HttpResponse:
    """What enters the queue by itself."""
    form = PolicyForm(
        request.POST or None, instance=policy_of(request.project), project=request.project
    )
    if request.method == "POST" and form.is_valid():
        saved = form.save(commit=False)
        saved.filled_until = None  # what the new rules want of the last days enters too
        saved.save()
        messages.success(request, "Saved. What fits of the last 7 days enters, and then new ones.")
        return redirect("review:queue", project=request.project.slug)
    context = {"tab": "policy", "form": form}
    return render(request, "review/policy.html", context, status=422 if form.errors else 200)


def _work(request: ProjectRequest, *, first: UUID | None = None, said: str = "") -> HttpResponse:
    """The item to decide now, with the next one beside it."""
    at = timezone.now()
    items = take(request.project, by=request.user)
    found = shown(sorted(items, key=lambda item: item.pk != first))
    context: dict[str, Any] = {
        "current": found[0] if found else None,
        "next": found[1] if len(found) > 1 else None,
        "progress": progress_of(request.project, by=request.user, at=at),
        "reasons": actions.REASONS,
        "datasets": Dataset.objects.in_project(request.project).newest_first()[:MOST_DATASETS],
        "chosen": _chosen_slug(request),
        "said": said,
    }
    return render(request, "review/parts/work.html", context)


def _item(request: ProjectRequest, item_id: UUID) -> Item:
    return get_object_or_404(Item.objects.in_project(request.project), pk=item_id)


def _chosen(request: ProjectRequest) -> Dataset | None:
    slug = _chosen_slug(request)
    found = Dataset.objects.in_project(request.project).select_related("project")
    return get_object_or_404(found, slug=slug) if slug else None


def _chosen_slug(request: ProjectRequest) -> str:
    """The dataset chosen on the page, else the policy's."""
    if "dataset" in request.POST:
        return request.POST["dataset"].replace("\x00", "")
    usual = policy_of(request.project).dataset
    return usual.slug if usual else ""
