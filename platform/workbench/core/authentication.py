"""Who calls the JSON API: a project's key, with the scopes it carries."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from django.utils import timezone
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from workbench.core.actions import find_api_key
from workbench.core.keys import bearer
from workbench.core.models import ApiKey, Membership, Project, Role, Scope, User

if TYPE_CHECKING:
    from rest_framework.views import APIView

LAST_USED_EVERY = timedelta(minutes=1)


class KeyRequest(Request):
    """An API request made with a project's key."""

    auth: ApiKey
    user: User


def project_of(request: Request) -> Project:
    """The project the request's key belongs to."""
    return key_of(request).project


def key_of(request: Request) -> ApiKey:
    """The key the request was made with."""
    key: ApiKey = request.auth  # type: ignore[assignment]
    return key


def person_of(request: Request) -> User | None:
    """Who made the key the request was made with, if they are still there."""
    return request.user if isinstance(request.user, User) else None


def role_of(request: Request) -> Role | None:
    """What whoever made the key may do in its project now; None when they are no member."""
    person = person_of(request)
    members = Membership.objects.filter(project=project_of(request), user=person)
    found = None if person is None else members.first()
    return None if found is None else Role(found.role)


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer sh_…`."""

    def authenticate(self, request: Request) -> tuple[User | None, ApiKey] | None:
        header = request.headers.get("Authorization", "")
        if not header:
            return None
        now = timezone.now()
        key = find_api_key(bearer(header), at=now)
        if key is None:
            raise exceptions.AuthenticationFailed(
                "The API key is not valid, has expired or was revoked. Make one under Settings."
            )
        if key.last_used_at is None or now - key.last_used_at > LAST_USED_EVERY:
            ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)
        return key.created_by, key

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class KeyMay(BasePermission):
    """The key carries the scope the endpoint asks for, and its maker has the role."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if request.auth is None:
            raise exceptions.NotAuthenticated(
                "Send an API key: Authorization: Bearer sh_… (make one under Settings)."
            )
        needed: dict[str, Scope] = getattr(view, "scopes", {})
        scope = needed.get(request.method or "")
        if scope is None:
            raise exceptions.MethodNotAllowed(request.method or "")
        if scope not in key_of(request).scopes:
            raise exceptions.PermissionDenied(
                f"This key lacks the scope “{scope}”. Make a key that has it under Settings."
            )
        roles: Mapping[str, Role] = getattr(view, "roles", {})
        self._require_role(request, roles.get(request.method or ""))
        return True

    def _require_role(self, request: Request, needed: Role | None) -> None:
        role = None if needed is None else role_of(request)
        if needed is not None and (role is None or not role.allows(needed)):
            raise exceptions.PermissionDenied(
                f"This needs a key made by an {needed.label.lower()} of the project. "
                "Ask one to make a key under Settings."
            )
