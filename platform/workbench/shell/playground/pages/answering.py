"""Questions of the page's scripts: JSON in, JSON out, every refusal a sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from uuid import UUID

from django.http import HttpResponse, JsonResponse

from workbench.core.access import ProjectRequest
from workbench.core.errors import DomainError, InvalidInput
from workbench.shell.playground.state import Unready

P = ParamSpec("P")


def answers_json(
    view: Callable[Concatenate[ProjectRequest, P], HttpResponse],
) -> Callable[Concatenate[ProjectRequest, P], HttpResponse]:
    """Whatever is refused is answered as `{"error": {"code", "message"}, "problems": […]}`."""

    @wraps(view)
    def answered(request: ProjectRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except DomainError as problem:
            found = problem.problems if isinstance(problem, Unready) else []
            error = {"code": problem.code, "message": problem.sentence}
            body = {"error": error, "problems": [one.as_json() for one in found]}
            return JsonResponse(body, status=problem.status)

    return answered  # type: ignore[return-value]  # `wraps` names the first argument


def sent(request: ProjectRequest) -> dict[str, Any]:
    """The JSON object in the body.

    Raises:
        InvalidInput: it is none.
    """
    try:
        found = json.loads(request.body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise InvalidInput("The page sent something that is no JSON object. Reload it.")
    return found


def text_in(given: dict[str, Any], name: str, *, most: int = 1_000_000) -> str:
    """A text of it; empty when it is not there.

    Raises:
        InvalidInput: it is no text, or too long.
    """
    value = given.get(name) or ""
    if not isinstance(value, str) or len(value) > most:
        raise InvalidInput(f"{name} must be a text of at most {most:,} characters.")
    return value


def uuid_in(text: object) -> UUID:
    """An id somebody named.

    Raises:
        InvalidInput: it is none.
    """
    try:
        return UUID(str(text).strip())
    except ValueError as problem:
        raise InvalidInput("Name a request by its id, as its page's address has it.") from problem
