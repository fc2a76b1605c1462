"""Typed functions that make rows with valid defaults."""

from __future__ import annotations

from itertools import count
from typing import Any

from workbench.core.actions import create_api_key, create_project
from workbench.core.models import ApiKey, Membership, Project, Role, Scope, User

_numbers = count(1)
PASSWORD = "correct horse battery staple"


def make_user(*, name: str = "Somebody", **fields: Any) -> User:
    email = fields.pop("email", f"{name.lower()}-{next(_numbers)}@example.com")
    user = User(email=email, name=name, **fields)
    user.set_unusable_password()
    user.save()
    return user


def make_project(*, name: str = "A project") -> Project:
    return create_project(name=name, owner=None)


def make_member(project: Project, user: User, role: Role = Role.EDITOR) -> Membership:
    return Membership.objects.create(project=project, user=user, role=role)


def make_api_key(
    project: Project, *, scopes: list[str] | None = None, by: User | None = None
) -> tuple[ApiKey, str]:
    key, text = create_api_key(project, name="test", scopes=scopes or Scope.values, by=by)
    return key, str(text)


def require_nobody_stays() -> None:
    """Whoever stays is met by another test, in an order nobody can foresee."""
    left = [*User.objects.values_list("name", flat=True)]
    assert not left, f"This test really committed people and did not remove them: {left}"
