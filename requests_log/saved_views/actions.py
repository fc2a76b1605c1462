"""Saving, changing, sharing and deleting named queries."""

from __future__ import annotations

import re
from datetime import datetime

from django.db import IntegrityError, transaction

from requests_log.encoding import clean
from requests_log.saved_views.models import SavedView
from requests_log.search import read_filter
from workbench.core.errors import DomainError, InvalidInput, NotAllowed
from workbench.core.models import Project, Role, User

MAX_NAME = 80
MOST_VIEWS = 200
"""Views a project may hold: more are not found by looking."""
_BLANKS = re.compile(r"\s+")


class NameTaken(DomainError):
    """There is a view of that name already."""

    code = "name_taken"


def save_view(
    project: Project,
    *,
    name: str,
    query: str,
    is_shared: bool,
    by: User | None,
    role: Role,
    at: datetime,
) -> SavedView:
    """Keep a query under a name.

    Raises:
        InvalidInput: no name, a query with a mistake, too many views, or a view for nobody.
        NameTaken: a view that the person can see has the name.
        NotAllowed: a viewer shares nothing.
    """
    _may_share(role, is_shared=is_shared)
    if by is None and not is_shared:
        raise InvalidInput("This key belongs to nobody who could keep a view. Share the view.")
    if SavedView.objects.filter(project=project).count() >= MOST_VIEWS:
        raise InvalidInput(f"A project holds {MOST_VIEWS} views. Delete some that nobody uses.")
    view = SavedView(project=project, owner=by, created_at=at)
    return _store(view, name=name, query=query, is_shared=is_shared, at=at)


def change_view(
    view: SavedView,
    *,
    name: str,
    query: str,
    is_shared: bool,
    by: User | None,
    role: Role,
    at: datetime,
) -> SavedView:
    """Rename a view, give it another query, share it or take it back.

    Raises:
        InvalidInput, NameTaken: as `save_view`.
        NotAllowed: it belongs to somebody else, or a viewer would share it.
    """
    _may_change(view, by, role)
    _may_share(role, is_shared=is_shared and not view.is_shared)
    if view.is_shared and not is_shared and not _owns(by, view):
        raise NotAllowed("Only its owner can take a shared view back. Delete it, or ask them.")
    return _store(view, name=name, query=query, is_shared=is_shared, at=at)


def delete_view(view: SavedView, *, by: User | None, role: Role) -> None:
    """Delete a view; its query stays in every address it was opened by.

    Raises:
        NotAllowed: it belongs to somebody else.
    """
    _may_change(view, by, role)
    view.delete()


def _store(view: SavedView, *, name: str, query: str, is_shared: bool, at: datetime) -> SavedView:
    view.name = _BLANKS.sub(" ", clean(name)).strip()
    if not 0 < len(view.name) <= MAX_NAME:
        raise InvalidInput(f"Give the view a name of 1 to {MAX_NAME} characters.")
    wanted = read_filter(query, at=at)
    if wanted.problems:
        raise InvalidInput(f"The query cannot be kept: {wanted.problems[0].sentence}")
    view.query, view.is_shared, view.changed_at = clean(query).strip(), is_shared, at
    try:
        with transaction.atomic():
            view.save()
    except IntegrityError as problem:
        raise NameTaken(f"There is a view called “{view.name}”. Choose another name.") from problem
    return view


def _may_share(role: Role, *, is_shared: bool) -> None:
    if is_shared and not role.allows(Role.EDITOR):
        raise NotAllowed("Viewers keep views for themselves. Ask an editor to share this one.")


def _owns(by: User | None, view: SavedView) -> bool:
    return by is not None and view.owner_id == by.pk


def _may_change(view: SavedView, by: User | None, role: Role) -> None:
    if _owns(by, view) or (view.is_shared and role.allows(Role.EDITOR)):
        return
    raise NotAllowed("This view is somebody else's. Save it under a name of your own.")
