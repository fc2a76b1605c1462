"""The quality tab of a dataset: check it, look at what was found, mend it, take that back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from requests_log.datasets.charts import (
    fault_bars,
    label_balance,
    length_histogram,
    provenance_bars,
    token_histogram,
)
from requests_log.datasets.forms import CheckForm
from requests_log.datasets.hygiene import actions
from requests_log.datasets.hygiene.advice import checks_shown, verdicts
from requests_log.datasets.hygiene.models import Check, Finding, Fix, HygieneRun
from requests_log.datasets.hygiene.reading import evaluation_sets
from requests_log.datasets.hygiene.standing import Standing, standing_of
from requests_log.datasets.models import Dataset, DatasetVersion, Example
from requests_log.datasets.quality import LATEST, Quality, quality_from, quality_of
from requests_log.selection import chosen
from workbench.core.access import ProjectRequest, project_page
from workbench.core.errors import InvalidInput
from workbench.core.models import Role
from workbench.core.paging import page_of

FIXES_SHOWN = 8


@dataclass(frozen=True)
class FindingShown:
    """A finding with its example, which is there as long as the finding is shown."""

    finding: Finding
    example: Example
    starts_cluster: bool

    @property
    def pk(self) -> UUID:
        return self.finding.pk


@require_GET
@project_page(Role.VIEWER)
def quality(request: ProjectRequest, slug: str) -> HttpResponse:
    """What can be counted at once, and what the last check found."""
    found = dataset_of(request, slug)
    runs = HygieneRun.objects.filter(dataset=found).select_related("job", "created_by")
    latest, done = runs.newest_first().first(), runs.finished().newest_first().first()
    standing = standing_of(done) if done is not None else Standing()
    counted, counted_of = _counted(found, done, standing)
    context: dict[str, Any] = {
        "dataset": found,
        "tab": "quality",
        "quality": counted,
        "counted_of": counted_of,
        "lengths": length_histogram(counted.bins),
        "labels": label_balance(counted.labels) if counted.has_labels else None,
        "form": CheckForm(request.project, initial=latest.settings if latest else None),
        "running": latest if latest and latest.job and not latest.job.is_finished else None,
        "failed": latest if latest and latest != done and _ended(latest) else None,
        "run": done,
        "fixes": Fix.objects.filter(dataset=found, count__gt=0)
        .select_related("created_by", "job")
        .newest_first()[:FIXES_SHOWN],
        "evaluation_sets": evaluation_sets(request.project, besides=found),
    }
    if done is not None:
        context |= _results(done, standing)
    return render(request, "datasets/quality.html", context)


@require_POST
@project_page(Role.EDITOR)
def check(request: ProjectRequest, slug: str) -> HttpResponse:
    """Start a check."""
    form = CheckForm(request.project, request.POST)
    if not form.is_valid():
        raise InvalidInput(" ".join(str(one) for told in form.errors.values() for one in told))
    actions.start_check(dataset_of(request, slug), by=request.user, **form.cleaned_data)
    return redirect("datasets:quality", project=request.project.slug, slug=slug)


@require_GET
@project_page(Role.VIEWER)
def progress(request: ProjectRequest, slug: str) -> HttpResponse:
    """The progress of the running check; the whole page once it has ended."""
    runs = HygieneRun.objects.filter(dataset=dataset_of(request, slug)).select_related("job")
    latest = runs.newest_first().first()
    if latest is None or latest.job is None or latest.job.is_finished:
        return HttpResponse(headers={"HX-Refresh": "true"})
    context = {"running": latest, "dataset": latest.dataset}
    return render(request, "datasets/parts/check_progress.html", context)


@require_GET
@project_page(Role.VIEWER)
def findings(request: ProjectRequest, slug: str, name: str) -> HttpResponse:
    """The examples a check pointed at."""
    found = dataset_of(request, slug)
    run = HygieneRun.objects.filter(dataset=found).finished().newest_first().first()
    if run is None or name not in Check.values:
        raise Http404
    standing = standing_of(run)
    rows = Finding.objects.of_check(run, name).still_there()
    page = page_of(rows, before=request.GET.get("before", ""), after=request.GET.get("after", ""))
    shown = next(one for one in checks_shown(run.summary, standing.to_fix) if one.check == name)
    context = {
        "dataset": found,
        "tab": "quality",
        "run": run,
        "shown": shown,
        "page": page,
        "rows": _with_examples(page.rows),
        "total": standing.listed.get(name, 0),
    }
    return render(request, "datasets/findings.html", context)


@require_POST
@project_page(Role.EDITOR)
def fix(request: ProjectRequest, slug: str, name: str) -> HttpResponse:
    """Drop or redact: what the selection bar posts, or everything the check would mend."""
    found = dataset_of(request, slug)
    run = HygieneRun.objects.filter(dataset=found).finished().newest_first().first()
    if run is None:
        raise Http404
    form, at = request.POST, timezone.now()
    ids = excluded = None
    if not form.get("everything"):
        selection = chosen(
            at=at, ids=form.getlist("ids"), everything=form.get("all") == "1",
            excluded=form.getlist("except"),
        )  # fmt: skip
        ids, excluded = selection.ids or None, selection.excluded
    done = actions.fix_findings(
        run, check=name, how=form.get("how", ""), by=request.user, at=at, ids=ids,
        excluded=excluded,
    )  # fmt: skip
    messages.success(request, _told(done))
    return redirect("datasets:quality", project=request.project.slug, slug=slug)


@require_POST
@project_page(Role.EDITOR)
def undo(request: ProjectRequest, slug: str, fix_id: UUID) -> HttpResponse:
    """Take a fix back."""
    fixes = Fix.objects.filter(dataset=dataset_of(request, slug))
    done = get_object_or_404(fixes, pk=fix_id)
    restored = actions.undo_fix(done, at=timezone.now())
    rest = done.count - restored
    left = f" {rest:,} stay as they are: changed or added again since." if rest else ""
    messages.success(request, f"Brought {restored:,} back.{left}")
    return redirect("datasets:quality", project=request.project.slug, slug=slug)


@require_POST
@project_page(Role.EDITOR)
def evaluation_set(request: ProjectRequest, slug: str) -> HttpResponse:
    """Mark the dataset, or one of its versions, as what models are judged on; or no longer."""
    dataset = dataset_of(request, slug)
    found: Dataset | DatasetVersion = dataset
    number = request.POST.get("version", "")
    if number:
        wanted = int(number[:9]) if number.isdecimal() else -1
        found = get_object_or_404(DatasetVersion.objects.filter(dataset=dataset), number=wanted)
    is_on = request.POST.get("is_on") == "1"
    actions.mark_evaluation_set(found, is_on=is_on)
    told = "is an evaluation set now" if is_on else "is no evaluation set any more"
    messages.success(request, f"“{found}” {told}.")
    back = "datasets:versions" if number else "datasets:quality"
    return redirect(back, project=request.project.slug, slug=slug)


def dataset_of(request: ProjectRequest, slug: str) -> Dataset:
    """The project's dataset with its counts.

    Raises:
        Http404: there is none of that name.
    """
    found = Dataset.objects.in_project(request.project).with_counts().select_related("project")
    return get_object_or_404(found, slug=slug)


def _counted(dataset: Dataset, run: HygieneRun | None, standing: Standing) -> tuple[Quality, str]:
    """Counts of the examples, and of which, if there are more: very many are counted by the check,
    and while what it read is unchanged, that holds."""
    if run is not None and standing.is_as_seen and dataset.examples.all()[LATEST:].exists():
        counted = quality_from(run.summary["counted"])
        return counted, f"the {counted.examples:,} examples that were checked"
    counted = quality_of(dataset, latest=LATEST)
    return counted, f"the latest {counted.examples:,} examples"


def _results(run: HygieneRun, standing: Standing) -> dict[str, Any]:
    """What the page shows of a finished check."""
    counts = standing.to_fix
    shown = checks_shown(run.summary, counts)
    faults = [(one.check.label, one.count) for one in shown if one.count]
    lengths = run.summary.get("lengths")
    return {
        "shown": shown,
        "verdicts": verdicts(run.summary, counts),
        "newer": standing.newer,
        "token_lengths": token_histogram(lengths) if lengths else None,
        "faults": fault_bars(faults) if faults else None,
        "provenance": provenance_bars(run.summary["provenance"], dict(Example.Provenance.choices)),
    }


def _ended(run: HygieneRun) -> bool:
    return run.job is None or run.job.is_finished


def _with_examples(found: Sequence[Finding]) -> list[FindingShown]:
    wanted = [one.example_id for one in found]
    examples = Example.objects.select_related("content").defer("content__payload").in_bulk(wanted)
    rows: list[FindingShown] = []
    for one in found:
        if one.example_id not in examples:
            continue
        starts = not rows or rows[-1].finding.cluster != one.cluster
        rows.append(FindingShown(one, examples[one.example_id], starts))
    return rows


def _told(done: actions.Fixed) -> str:
    if done.job is not None:
        return "Mending in the background; see the jobs at the top. It can be undone under “Fixes”."
    return f"{done.fix.get_how_display()} {done.fix.count:,}. It can be undone under “Fixes”."
