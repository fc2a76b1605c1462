"""Typed functions that make rows with valid defaults."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def nobody_stays() -> Iterator[None]:
    """Whoever or whatever stays is met by another test, in an order nobody can foresee."""
    before = _who_is_there()
    yield
    left = _who_is_there() - before
    assert not left, f"This test really committed these and did not remove them: {left}"


def _who_is_there() -> set[tuple[str, int, str]]:
    people = (("person", *row) for row in User.objects.values_list("pk", "name"))
    projects = (("project", *row) for row in Project.objects.values_list("pk", "name"))
    return {*people, *projects}
