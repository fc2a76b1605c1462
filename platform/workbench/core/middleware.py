"""Middleware: domain errors said once for pages and APIs, and the content security policy."""

from __future__ import annotations

import json
from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render

from workbench.core.errors import DomainError

Respond = Callable[[HttpRequest], HttpResponse]

POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ]
)


def content_security_policy(respond: Respond) -> Respond:
    """Forbid everything that does not come from this server."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = respond(request)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        return response

    return middleware


class domain_errors:  # noqa: N801 - read as a function in settings
    """Turn a DomainError into a toast (htmx, forms), an error page or an error document."""

    def __init__(self, respond: Respond) -> None:
        self.respond = respond

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.respond(request)

    def process_exception(self, request: HttpRequest, problem: Exception) -> HttpResponse | None:
        if not isinstance(problem, DomainError):
            return None
        if request.path.startswith("/api/"):
            return JsonResponse(error_body(problem), status=problem.status)
        if request.headers.get("HX-Request"):
            return _toast(problem)
        if request.method == "POST" and _own_referer(request):
            messages.error(request, problem.sentence)
            return HttpResponseRedirect(_own_referer(request))
        return render(request, "core/problem.html", {"problem": problem}, status=problem.status)


def error_body(problem: DomainError) -> dict[str, dict[str, str]]:
    """The one error document of our JSON API."""
    return {"error": {"code": problem.code, "message": problem.sentence}}


def _toast(problem: DomainError) -> HttpResponse:
    trigger = json.dumps({"toast": {"level": "error", "text": problem.sentence}})
    return HttpResponse(status=204, headers={"HX-Trigger": trigger, "HX-Reswap": "none"})


def _own_referer(request: HttpRequest) -> str:
    """The page of ours that the form was on, if the browser tells."""
    referer = request.headers.get("Referer", "")
    return referer if referer.startswith(request.build_absolute_uri("/")) else ""
