"""Running: what is wrong is told first, then each column makes its call and streams its answer."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from finetunes.prompt_text import prompt_text
from workbench.core.access import ProjectRequest, project_page
from workbench.core.errors import InvalidInput
from workbench.core.models import Role
from workbench.gateway.call import Caller, ModelCall
from workbench.gateway.dialects import CHAT, COMPLETIONS
from workbench.gateway.inprocess import stream_events
from workbench.gateway.labels import Labels
from workbench.providers.refs import resolve
from workbench.shell.playground import filling
from workbench.shell.playground.actions import save_trial
from workbench.shell.playground.asking import asked, variables_of
from workbench.shell.playground.models import Trial
from workbench.shell.playground.pages.answering import answers_json, sent, text_in, uuid_in
from workbench.shell.playground.state import read_state
from workbench.shell.playground.verdicts import verdict


@require_POST
@project_page(Role.VIEWER)
@answers_json
def check(request: ProjectRequest) -> HttpResponse:
    """The variables that the texts need, and what is wrong with the texts."""
    needed, problems = variables_of(request.project, read_state(sent(request).get("state")))
    variables = [{"name": name, "type": kind} for name, kind in needed.items()]
    return JsonResponse({"variables": variables, "problems": [one.as_json() for one in problems]})


@require_POST
@project_page(Role.EDITOR)
@answers_json
def run(request: ProjectRequest) -> HttpResponse:
    """Check everything and keep it; the answer holds what each column sends to `complete`."""
    given = sent(request)
    state = read_state(given.get("state"))
    calls = asked(request.project, state)
    trial = save_trial(
        request.project, state=state, by=request.user, at=timezone.now(),
        trial=text_in(given, "id", most=40),
    )  # fmt: skip
    name, version = calls.prompt or ("", None)
    return JsonResponse(
        {
            **_kept(request, trial),
            "body": calls.body,
            "own": calls.own,
            "raw": calls.is_raw,
            "labels": {"prompt": name, "version": version, "variables": calls.values},
        }
    )


@require_POST
@project_page(Role.EDITOR)
@answers_json
def complete(request: ProjectRequest) -> HttpResponse:
    """Stream one answer as server-sent events; see `stream_events` for their shape."""
    given = sent(request)
    is_raw = given.get("raw") is True
    body = _body(given, "prompt" if is_raw else "messages")
    call = ModelCall(
        Caller(request.project.pk, source="playground"),
        body["model"],
        json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"),
        {},
        _labels(request, given.get("labels")),
        dialect=COMPLETIONS if is_raw else CHAT,
    )
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingHttpResponse(  # type: ignore[return-value]  # a response all the same
        stream_events(call), content_type="text/event-stream", headers=headers
    )


@require_POST
@project_page(Role.EDITOR)
@answers_json
def save(request: ProjectRequest) -> HttpResponse:
    """Keep a state: after a run with its answers, or to share it."""
    given = sent(request)
    trial = save_trial(
        request.project, state=read_state(given.get("state")), by=request.user,
        at=timezone.now(), trial=text_in(given, "id", most=40),
    )  # fmt: skip
    return JsonResponse(_kept(request, trial))


@require_GET
@project_page(Role.VIEWER)
@answers_json
def values(request: ProjectRequest) -> HttpResponse:
    """Values for the variables: `?dataset=` and `&row=`, or `?request=`."""
    if request.GET.get("request"):
        found = filling.from_request(request.project, uuid_in(request.GET["request"]))
    else:
        row = request.GET.get("row", "")
        number = int(row) if row.isdecimal() and len(row) < 10 else 0
        found = filling.from_row(request.project, request.GET.get("dataset", ""), number)
    return JsonResponse(
        {
            "variables": found.variables,
            "expected": found.expected,
            "example": found.example,
            "row": found.row,
            "total": found.total,
        }
    )


@require_POST
@project_page(Role.EDITOR)
@answers_json
def raw(request: ProjectRequest) -> HttpResponse:
    """The conversation as the text that the first column's model reads."""
    state = read_state(sent(request).get("state"))
    calls = asked(request.project, state)
    if calls.is_raw:
        raise InvalidInput("This is the raw text already. Switch to chat to show another.")
    endpoint = resolve(request.project, state.columns[0]["model"])
    text = prompt_text(endpoint, calls.body["messages"], calls.body.get("tools"))
    return JsonResponse({"prompt": text})


@require_POST
@project_page(Role.VIEWER)
@answers_json
def judge(request: ProjectRequest) -> HttpResponse:
    """Whether an answer is JSON, and fits the schema."""
    given = sent(request)
    most = 8 << 20
    return JsonResponse(verdict(text_in(given, "text", most=most), text_in(given, "schema")))


def _body(given: dict[str, Any], needed: str) -> dict[str, Any]:
    """The call's body from what `run` told the page.

    Raises:
        InvalidInput: no model, or nothing to send.
    """
    model, body = given.get("model"), given.get("body")
    if not isinstance(model, str) or not model.strip():
        raise InvalidInput("Choose a model first.")
    if not isinstance(body, dict) or not body.get(needed):
        raise InvalidInput("Write a message first.")
    options = {"stream": True, "stream_options": {"include_usage": True}}
    return {"model": model.strip(), **{k: v for k, v in body.items() if k != "model"}, **options}


def _labels(request: ProjectRequest, given: object) -> Labels:
    """What the call is filed under."""
    told = given if isinstance(given, dict) else {}
    name, version, filled = told.get("prompt"), told.get("version"), told.get("variables")
    is_named = isinstance(name, str) and bool(name) and isinstance(version, int)
    variables = (
        json.dumps(filled, ensure_ascii=False) if isinstance(filled, dict) and filled else ""
    )
    return Labels(
        user=request.user.email,
        prompt_name=str(name)[:200] if is_named else None,
        prompt_version=version if is_named else None,
        variables=variables.encode("utf-8", "replace") or None,
    )


def _kept(request: ProjectRequest, trial: Trial) -> dict[str, Any]:
    url = reverse("shell:playground-trial", args=[request.project.slug, trial.pk])
    return {"id": trial.pk, "url": url, "title": trial.title}
