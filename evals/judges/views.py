"""The pages of judges: list, editor with preview and trial, one judge with its versions."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from evals.calibration.models import Calibration
from evals.calibration.reading import CalibrationReading, calibrated, calibrated_all
from evals.judges.actions import Saved, archive, create_judge, save_version, unarchive
from evals.judges.asking import NotJudged, Verdict, judge_texts
from evals.judges.forms import ExampleForm, JudgeForm, as_typed, live, texts_of, typed_of
from evals.judges.models import Judge, JudgeVersion
from evals.judges.presets import CORRECTNESS, PRESETS
from evals.judges.rubric import BadTemplate, check_template, messages_for, new_code
from evals.judges.settings import JudgeSettings
from evals.judges.trying import example_of
from workbench.core.access import ProjectRequest, project_page
from workbench.core.errors import DomainError
from workbench.core.models import Role
from workbench.providers.chat import ChatCaller
from workbench.providers.refs import Endpoint, known_refs, resolve

TRIAL_SECONDS = 60.0
CALIBRATIONS = 3
"""The newest ones on a judge's page."""


@require_safe
@project_page(Role.VIEWER)
def judge_list(request: ProjectRequest) -> HttpResponse:
    """Every judge of the project by name; `?archived=1` those put away."""
    rows = Judge.objects.in_project(request.project)
    archived = request.GET.get("archived") == "1"
    shown = rows.exclude(archived_at=None) if archived else rows.current()
    newest = JudgeVersion.objects.in_project(request.project).newest_of_each()
    newest = newest.select_related("judge")
    versions = {one.judge_id: one for one in newest}
    agreements = calibrated_all(versions.values())
    context = {
        "judges": [
            (judge, version, agreements[version.pk])
            for judge in shown.by_name()
            if (version := versions.get(judge.pk)) is not None
        ],
        "archived": archived,
        "put_away": rows.exclude(archived_at=None).count(),
    }
    return render(request, "judges/list.html", context)


@require_http_methods(["GET", "POST"])
@project_page(Role.EDITOR)
def new_judge(request: ProjectRequest) -> HttpResponse:
    """The form, filled in by a rubric of ours: `?preset=helpfulness`."""
    preset = PRESETS.get(request.GET.get("preset", ""), CORRECTNESS)
    if request.method == "GET":
        typed = {**as_typed(preset.settings), "name": preset.name}
        return _editor(request, JudgeForm(initial=typed), preset=preset)
    form = JudgeForm(request.POST)
    if form.is_valid():
        try:
            saved = create_judge(
                request.project, name=form.cleaned_data["name"], by=request.user,
                at=timezone.now(), **_version(form),
            )  # fmt: skip
            return _to_saved(request, saved)
        except DomainError as problem:
            form.add_error(None, problem.sentence)
    return _editor(request, form, preset=preset, status=422)


@require_http_methods(["GET", "POST"])
@project_page(Role.EDITOR)
def edit_judge(request: ProjectRequest, judge_id: UUID) -> HttpResponse:
    """The form of the newest version, or of `?version=`; saving makes the next one."""
    judge = _judge(request, judge_id)
    if request.method == "GET":
        return _editor(request, JudgeForm(initial=typed_of(_version_of(request, judge))), judge)
    form = JudgeForm(request.POST)
    if form.is_valid():
        try:
            saved = save_version(judge, by=request.user, at=timezone.now(), **_version(form))
            return _to_saved(request, saved)
        except DomainError as problem:
            form.add_error(None, problem.sentence)
    return _editor(request, form, judge, status=422)


@require_safe
@project_page(Role.VIEWER)
def judge_page(request: ProjectRequest, judge_id: UUID) -> HttpResponse:
    """One version of a judge (`?version=`, the newest unless told), and the list of all."""
    judge = _judge(request, judge_id)
    version = _version_of(request, judge)
    context = {
        "judge": judge,
        "version": version,
        "versions": judge.versions.newest_first().select_related("created_by"),
        "settings": version.settings,
        "comparisons": version.comparisons.order_by("-pk")[:20],
        "calibrated": calibrated(version),
        "calibrations": [CalibrationReading(one) for one in _calibrations(version)],
    }
    return render(request, "judges/judge.html", context)


@require_POST
@project_page(Role.EDITOR)
def preview(request: ProjectRequest) -> HttpResponse:
    """What the model would be sent for the example, with the form as it stands."""
    form = JudgeForm(request.POST)
    form.is_valid()
    context: dict[str, Any]
    try:
        settings = _settings(form)
        texts = texts_of(request.POST.dict())
        context = {"sent": messages_for(settings, texts, code=new_code())}
    except (BadTemplate, KeyError, AttributeError) as problem:
        is_told = isinstance(problem, BadTemplate)
        context = {"problem": str(problem) if is_told else "Fill in the fields marked above."}
    return render(request, "judges/parts/preview.html", context)


@require_POST
@project_page(Role.EDITOR)
def try_judge(request: ProjectRequest) -> HttpResponse:
    """Ask the judge about the example, saved or not."""
    form = JudgeForm(request.POST)
    form.is_valid()
    context: dict[str, Any]
    try:
        settings = _settings(form)
        endpoint = resolve(request.project, request.POST.get("model_ref", "").strip())
        verdict = asyncio.run(_tried(endpoint, settings, texts_of(request.POST.dict())))
        context = {"verdict": verdict}
    except NotJudged as problem:
        context = {"problem": problem.sentence, "raw": problem.raw}
    except DomainError as problem:
        context = {"problem": problem.sentence}
    except BadTemplate as problem:
        context = {"problem": str(problem)}
    except (KeyError, AttributeError):
        context = {"problem": "The form is not complete. Save it to see what is missing."}
    return render(request, "judges/parts/tried.html", context)


@require_POST
@project_page(Role.EDITOR)
def archive_judge(request: ProjectRequest, judge_id: UUID) -> HttpResponse:
    """Put a judge away, or take it up again."""
    judge = _judge(request, judge_id)
    if judge.archived_at is None:
        archive(judge, at=timezone.now())
        messages.success(request, f"“{judge}” is archived. What it judged stays.")
    else:
        unarchive(judge)
        messages.success(request, f"“{judge}” can be chosen again.")
    return redirect("judges:judge", request.project.slug, judge.pk)


async def _tried(endpoint: Endpoint, settings: JudgeSettings, texts: dict[str, str]) -> Verdict:
    async with ChatCaller(endpoint, seconds=TRIAL_SECONDS) as caller:
        return await judge_texts(caller, settings, texts)


def _settings(form: JudgeForm) -> JudgeSettings:
    settings = form.settings()
    check_template(settings.template, settings.kind)
    return settings


def _version(form: JudgeForm) -> dict[str, Any]:
    values = form.cleaned_data
    return {
        "model_ref": values["model_ref"],
        "settings": form.settings(),
        "message": values["message"],
    }


def _to_saved(request: ProjectRequest, saved: Saved) -> HttpResponse:
    said = f"Saved {saved.version}." if saved.is_new else f"That is {saved.version} already."
    messages.success(request, said)
    return redirect("judges:judge", request.project.slug, saved.version.judge_id)


def _judge(request: ProjectRequest, judge_id: UUID) -> Judge:
    return get_object_or_404(Judge.objects.in_project(request.project), pk=judge_id)


def _calibrations(version: JudgeVersion) -> list[Calibration]:
    rows = Calibration.objects.filter(version=version).newest_first()
    related = ("version__judge", "comparison", "dataset_version__dataset", "created_by", "job")
    return list(rows.select_related(*related)[:CALIBRATIONS])


def _version_of(request: ProjectRequest, judge: Judge) -> JudgeVersion:
    number = request.GET.get("version", "")
    wanted = int(number) if number.isdecimal() and len(number) < 9 else judge.versions_made
    return get_object_or_404(judge.versions.select_related("judge", "created_by"), number=wanted)


def _editor(
    request: ProjectRequest,
    form: JudgeForm,
    judge: Judge | None = None,
    *,
    status: int = 200,
    **context: Any,
) -> HttpResponse:
    posted = request.POST.dict() if request.method == "POST" else None
    context |= {
        "form": live(form, request.project),
        "example": ExampleForm(initial=posted or example_of(request.project)),
        "judge": judge,
        "presets": PRESETS.values(),
        "refs": known_refs(request.project),
    }
    return render(request, "judges/edit.html", context, status=status)
