"""The JSON API's floor: endpoints that declare their scopes, one error document."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.http import Http404
from rest_framework import exceptions
from rest_framework.decorators import api_view
from rest_framework.response import Response

from workbench.core.errors import DomainError
from workbench.core.models import Role, Scope


def endpoint(
    *, role: Role | Mapping[str, Role] | None = None, **scopes: Scope
) -> Callable[[Callable[..., Response]], Callable[..., Any]]:
    """Declare a function as an API endpoint: methods with the scope each one needs.

    `@endpoint(GET=Scope.READ, POST=Scope.WRITE)`. With a `role`, whoever made the key must have at
    least that in the project, and still be there; `role={"POST": Role.OWNER}` asks it of a method.
    """
    roles = role if isinstance(role, Mapping) else dict.fromkeys(scopes, role) if role else {}

    def declare(view: Callable[..., Response]) -> Callable[..., Any]:
        wrapped: Any = api_view(list(scopes))(view)
        wrapped.cls.scopes = scopes
        wrapped.cls.roles = roles
        wrapped.access = scopes
        return wrapped  # type: ignore[no-any-return]

    return declare


def error_document(problem: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler: every failure has the same shape (docs/http-api.md)."""
    if isinstance(problem, DomainError):
        return _document(problem.status, problem.code, problem.sentence)
    if isinstance(problem, Http404):
        return _document(404, "not_found", "There is no such thing in this project.")
    if isinstance(problem, exceptions.APIException):
        response = _document(problem.status_code, _code(problem), _sentence(problem.detail))
        if isinstance(problem, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
            response.headers["WWW-Authenticate"] = "Bearer"
        return response
    return None


def _document(status: int, code: str, message: str) -> Response:
    return Response({"error": {"code": code, "message": message}}, status=status)


def _code(problem: exceptions.APIException) -> str:
    code = problem.get_codes()
    return code if isinstance(code, str) else "invalid"


def _sentence(detail: Any, path: Sequence[str] = ()) -> str:
    if isinstance(detail, dict):
        return " ".join(_sentence(inner, [*path, str(name)]) for name, inner in detail.items())
    if isinstance(detail, list):
        return " ".join(_sentence(inner, path) for inner in detail)
    return f"{'.'.join(path)}: {detail}" if path else str(detail)
