"""Talking to a model: a form, and a streamed answer that is logged like any other call."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from workbench.core.access import ProjectRequest, project_page
from workbench.core.errors import InvalidInput
from workbench.core.models import Role
from workbench.gateway.call import Caller, ModelCall
from workbench.gateway.inprocess import stream_events
from workbench.gateway.labels import Labels
from workbench.providers.models import Connection
from workbench.providers.refs import known_refs

ROLES = frozenset({"system", "user", "assistant"})
MOST_MESSAGES = 200


@require_safe
@project_page(Role.VIEWER)
def page(request: ProjectRequest) -> HttpResponse:
    refs = known_refs(request.project)
    context = {
        "refs": refs,
        "model": request.GET.get("model", "") or next(iter(refs), ""),
        "has_connections": Connection.objects.in_project(request.project).exists(),
    }
    return render(request, "shell/playground.html", context)


@require_POST
@project_page(Role.EDITOR)
def complete(request: ProjectRequest) -> HttpResponse:
    """Stream the answer as server-sent events; see `stream_events` for their shape."""
    try:
        body = _chat_body(_asked(request.body))
    except InvalidInput as problem:
        return JsonResponse({"error": {"message": problem.sentence}}, status=problem.status)
    call = ModelCall(
        Caller(request.project.pk, source="playground"),
        body["model"],
        json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"),
        {},
        Labels(user=request.user.email),
    )
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingHttpResponse(  # type: ignore[return-value]  # a response all the same
        stream_events(call), content_type="text/event-stream", headers=headers
    )


def _asked(body: bytes) -> dict[str, Any]:
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict):
        raise InvalidInput("The page sent something that is no JSON object. Reload it.")
    return asked


def _chat_body(asked: dict[str, Any]) -> dict[str, Any]:
    """The request for the model from what the page sent.

    Raises:
        InvalidInput: no model, no message, or a number out of its range.
    """
    model, messages = asked.get("model"), asked.get("messages")
    if not isinstance(model, str) or not model.strip():
        raise InvalidInput("Choose a model first.")
    if not _are_messages(messages):
        raise InvalidInput("Write a message first.")
    options = {
        "temperature": _number(asked.get("temperature"), "The temperature", 0.0, 2.0),
        "max_tokens": _number(asked.get("max_tokens"), "The most tokens", 1, 1_000_000),
    }
    return {
        "model": model.strip(),
        "messages": messages,
        **{name: value for name, value in options.items() if value is not None},
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def _are_messages(messages: Any) -> bool:
    return (
        isinstance(messages, list)
        and 0 < len(messages) <= MOST_MESSAGES
        and all(
            isinstance(one, dict)
            and one.keys() == {"role", "content"}
            and one["role"] in ROLES
            and isinstance(one["content"], str)
            for one in messages
        )
    )


def _number(value: Any, name: str, low: float, high: float) -> float | int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise InvalidInput(f"{name} must be a number from {low} to {high}.")
    return value
