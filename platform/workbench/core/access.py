"""Who may open a page. Every view says so through one of these decorators.

A generated test walks all routes and fails for a view without a declaration.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from workbench.core.errors import NotAllowed
from workbench.core.models import Membership, Project, Role, User

P = ParamSpec("P")


class UserRequest(HttpRequest):
    """A request of somebody signed in."""

    user: User


class ProjectRequest(UserRequest):
    """A request inside a project, by one of its members."""

    project: Project
    role: Role


AnyView = Callable[..., HttpResponse]


def open_page(view: AnyView) -> AnyView:
    """Anybody may open this page."""
    view.access = "anybody"  # type: ignore[attr-defined]
    return view


def signed_in(view: Callable[Concatenate[UserRequest, P], HttpResponse]) -> AnyView:
    """Anybody signed in may open this page."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not request.user.is_authenticated:
            return to_sign_in(request)
        return view(request, *args, **kwargs)  # type: ignore[arg-type]

    guarded.access = "signed in"  # type: ignore[attr-defined]
    return guarded


def project_page(
    role: Role,
) -> Callable[[Callable[Concatenate[ProjectRequest, P], HttpResponse]], AnyView]:
    """Members with at least this role may open the page; the view gets `request.project`.

    The URL must carry `project` (the slug). A stranger sees 404, as for a project that is not
    there; a member with too small a role gets a sentence.
    """

    def declare(view: Callable[Concatenate[ProjectRequest, P], HttpResponse]) -> AnyView:
        @wraps(view)
        def guarded(
            request: HttpRequest, project: str, *args: P.args, **kwargs: P.kwargs
        ) -> HttpResponse:
            if not request.user.is_authenticated:
                return to_sign_in(request)
            enter_project(request, project, role)
            return view(request, *args, **kwargs)  # type: ignore[arg-type]

        guarded.access = role  # type: ignore[attr-defined]
        return guarded

    return declare


def enter_project(request: HttpRequest, slug: str, needed: Role) -> None:
    """Put the project and the member's role on the request, or refuse."""
    membership = (
        Membership.objects.select_related("project")
        .filter(project__slug=slug, user__id=request.user.pk or 0)
        .first()
    )
    if membership is None:
        raise Http404("There is no such project.")
    role = Role(membership.role)
    values: dict[str, Any] = {"project": membership.project, "role": role}
    for name, value in values.items():
        setattr(request, name, value)
    if not role.allows(needed):  # said on a page of the project, from which the others are reached
        raise NotAllowed(
            f"Your role here is {role.label.lower()}; this needs {needed.label.lower()}. "
            "Ask an owner of the project to change your role."
        )


def to_sign_in(request: HttpRequest) -> HttpResponse:
    """Send the visitor to the sign-in page and back; htmx follows by a full page load."""
    target = reverse("core:sign-in") + "?" + urlencode({"next": request.get_full_path()})
    if request.headers.get("HX-Request"):
        return HttpResponse(status=204, headers={"HX-Redirect": target})
    return HttpResponseRedirect(target)
