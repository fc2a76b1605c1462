"""What people do about one request: score it, comment on it, correct its answer."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from requests_log.feedback import commenting, scoring
from requests_log.feedback.correcting import (
    answer_in_force,
    correct_answer,
    read_answer,
    require_request,
    withdraw_correction,
)
from requests_log.inspecting import answer_words, history, said_about
from requests_log.models import Comment, LoggedRequest, LoggedScore, ScoreOrigin
from workbench.core.access import ProjectRequest, project_page
from workbench.core.errors import DomainError
from workbench.core.models import Role
from workbench.core.worddiff import word_diff


@require_POST
@project_page(Role.EDITOR)
def add_score(request: ProjectRequest, request_id: UUID) -> HttpResponse:
    require_request(request.project, request_id)
    scoring.record_score(
        request.project,
        subject=request_id,
        opinion=_opinion(request),
        source=scoring.read_source(ScoreOrigin.HUMAN, request.user.email),
        at=timezone.now(),
    )
    return _scores(request, request_id)


@require_POST
@project_page(Role.EDITOR)
def thumb(request: ProjectRequest, request_id: UUID) -> HttpResponse:
    """Set or take back one's own thumb."""
    require_request(request.project, request_id)
    up = request.POST.get("up") == "1"
    scoring.toggle_thumb(
        request.project, request_id=request_id, up=up, by=request.user, at=timezone.now()
    )
    return _scores(request, request_id)


@require_POST
@project_page(Role.EDITOR)
def change_score(request: ProjectRequest, request_id: UUID, score_id: UUID) -> HttpResponse:
    opinion = _opinion(request)
    scoring.change_score(
        _score(request, score_id), opinion=opinion, by=request.user, at=timezone.now()
    )
    return _scores(request, request_id)


@require_POST
@project_page(Role.EDITOR)
def delete_score(request: ProjectRequest, request_id: UUID, score_id: UUID) -> HttpResponse:
    scoring.delete_score(_score(request, score_id))
    return _scores(request, request_id)


@require_POST
@project_page(Role.EDITOR)
def add_comment(request: ProjectRequest, request_id: UUID) -> HttpResponse:
    commenting.add_comment(
        request.project,
        request_id=request_id,
        text=request.POST.get("text", ""),
        by=request.user,
        at=timezone.now(),
    )
    return _comments(request, request_id)


@require_POST
@project_page(Role.EDITOR)
def change_comment(request: ProjectRequest, request_id: UUID, comment_id: UUID) -> HttpResponse:
    text = request.POST.get("text", "")
    commenting.change_comment(
        _comment(request, comment_id), text=text, by=request.user, at=timezone.now()
    )
    return _comments(request, request_id)


@require_POST
@project_page(Role.EDITOR)
def delete_comment(request: ProjectRequest, request_id: UUID, comment_id: UUID) -> HttpResponse:
    commenting.delete_comment(_comment(request, comment_id), by=request.user, role=request.role)
    return _comments(request, request_id)


@require_http_methods(["GET", "POST"])
@project_page(Role.EDITOR)
def correct(request: ProjectRequest, request_id: UUID) -> HttpResponse:
    """The editor of the answer; what was typed is kept when it cannot be saved."""
    if request.method == "GET":
        return _editor(request, request_id)
    try:
        correct_answer(
            request.project,
            request_id,
            answer=_posted_answer(request),
            by=request.user,
            at=timezone.now(),
            note=request.POST.get("note", ""),
            based_on=_based_on(request),
        )
    except DomainError as problem:
        return _editor(request, request_id, problem=problem)
    messages.success(request, "The corrected answer is saved. What was logged is kept beside it.")
    return redirect("log:request", project=request.project.slug, request_id=request_id)


@require_POST
@project_page(Role.EDITOR)
def preview_correction(request: ProjectRequest, request_id: UUID) -> HttpResponse:
    """What the text in the editor would change."""
    logged = _logged(request, request_id)
    try:
        change = word_diff(answer_words(logged.output), answer_words(_posted_answer(request)))
    except DomainError as problem:
        return render(request, "requests_log/parts/change.html", {"problem": problem})
    return render(request, "requests_log/parts/change.html", {"change": change})


@require_POST
@project_page(Role.EDITOR)
def withdraw(request: ProjectRequest, request_id: UUID) -> HttpResponse:
    """Let the answer that was logged stand again."""
    withdraw_correction(request.project, request_id, by=request.user, at=timezone.now())
    messages.success(request, "The answer that was logged stands again.")
    return redirect("log:request", project=request.project.slug, request_id=request_id)


def _editor(
    request: ProjectRequest, request_id: UUID, *, problem: DomainError | None = None
) -> HttpResponse:
    logged = _logged(request, request_id)
    said = said_about(request.project, logged)
    answer = answer_in_force(request.project, request_id) or {}
    calls = answer.get("tool_calls")
    values = {
        "content": answer_words({"content": answer.get("content")}),
        "tool_calls": json.dumps(calls, indent=2, ensure_ascii=False) if calls else "",
        "note": "",
        "based_on": said.corrections[0].number if said.corrections else 0,
    }
    if problem is not None:
        values |= {name: request.POST.get(name, "") for name in values}
    context = {
        "logged": logged,
        "said": said,
        "history": history(said),
        "values": values,
        "original": answer_words(logged.output),
        "change": said.change if said.correction else [],
        "problem": problem,
    }
    status = 200 if problem is None else 422
    return render(request, "requests_log/correct.html", context, status=status)


def _posted_answer(request: ProjectRequest) -> dict[str, Any]:
    content = request.POST.get("content", "").replace("\r\n", "\n")  # browsers send line ends so
    return read_answer(content, request.POST.get("tool_calls", ""))


def _based_on(request: ProjectRequest) -> int | None:
    text = request.POST.get("based_on", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None


def _opinion(request: ProjectRequest) -> scoring.Opinion:
    posted = request.POST
    value = posted.get("value", "")
    return scoring.read_opinion(
        posted.get("name", ""),
        value,
        data_type=posted.get("data_type") or scoring.type_of_words(value),
        comment=posted.get("comment", ""),
    )


def _logged(request: ProjectRequest, request_id: UUID) -> LoggedRequest:
    found = LoggedRequest.objects.in_project(request.project).defer("search")
    return get_object_or_404(found, id=request_id)


def _score(request: ProjectRequest, score_id: UUID) -> LoggedScore:
    return get_object_or_404(LoggedScore.objects.in_project(request.project), id=score_id)


def _comment(request: ProjectRequest, comment_id: UUID) -> Comment:
    rows = Comment.objects.in_project(request.project).select_related("project")
    return get_object_or_404(rows, pk=comment_id)


def _scores(request: ProjectRequest, request_id: UUID) -> HttpResponse:
    return _part(request, request_id, "scores")


def _comments(request: ProjectRequest, request_id: UUID) -> HttpResponse:
    return _part(request, request_id, "comments")


def _part(request: ProjectRequest, request_id: UUID, name: str) -> HttpResponse:
    logged = _logged(request, request_id)
    context = {"logged": logged, "said": said_about(request.project, logged)}
    return render(request, f"requests_log/parts/{name}.html", context)
