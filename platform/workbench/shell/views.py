"""Home, jobs, the pattern page and the pages for errors."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from workbench.core.access import (
    ProjectRequest,
    UserRequest,
    enter_project,
    open_page,
    project_page,
    signed_in,
)
from workbench.core.models import Job, Project, Role, User
from workbench.core.paging import page_of
from workbench.core.queue import cancel_job
from workbench.shell.overview import overview
from workbench.shell.palette import offers
from workbench.shell.pattern_examples import examples
from workbench.shell.starting.library import all_points
from workbench.shell.starting.reading import starts_of

STOP_POLLING = 286


@open_page
@require_safe
def front_door(request: HttpRequest) -> HttpResponse:
    """Where a visitor belongs: set-up, sign-in, their project, or making one."""
    if not User.objects.exists():
        return redirect("core:setup")
    if not request.user.is_authenticated:
        return redirect("core:sign-in")
    project = Project.objects.of_member(request.user).by_name().first()
    if project is None:
        return redirect("shell:new-project")
    return redirect("shell:home", project=project.slug)


@open_page
@require_safe
def health(request: HttpRequest) -> HttpResponse:
    """Whether this process can reach its database; for load balancers and `doctor`."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return JsonResponse({"status": "ok"})


@require_safe
@project_page(Role.VIEWER)
def home(request: ProjectRequest) -> HttpResponse:
    found = overview(request.project, at=timezone.now())
    context: dict[str, Any] = {"overview": found}
    if not found.has_requests:
        context |= {"starts": starts_of(request.project), "points": all_points()}
    return render(request, "shell/home.html", context)


@require_safe
@project_page(Role.VIEWER)
def palette(request: ProjectRequest) -> HttpResponse:
    """What the palette asks for when it is opened."""
    found = offers(request.project, request.user)
    return JsonResponse({"offers": [asdict(offer) for offer in found]})


@require_safe
@project_page(Role.VIEWER)
def job_list(request: ProjectRequest) -> HttpResponse:
    jobs = Job.objects.in_project(request.project).select_related("created_by")
    page = page_of(jobs, before=request.GET.get("before", ""), after=request.GET.get("after", ""))
    return render(request, "shell/jobs.html", {"page": page})


@require_safe
@project_page(Role.VIEWER)
def active_jobs(request: ProjectRequest) -> HttpResponse:
    """The fragment every page polls: what is running now."""
    jobs = Job.objects.in_project(request.project).unfinished().newest_first()[:5]
    return render(request, "shell/jobs.html#active", {"jobs": jobs})


@require_POST
@project_page(Role.EDITOR)
def cancel(request: ProjectRequest, job_id: str) -> HttpResponse:
    job = get_object_or_404(Job.objects.in_project(request.project), pk=job_id)
    cancel_job(job, at=timezone.now())
    return redirect("shell:jobs", project=request.project.slug)


@require_safe
@signed_in
def patterns(request: UserRequest) -> HttpResponse:
    """Every component in every state; also the subject of the screenshot test."""
    return render(request, "shell/patterns.html", examples(at=timezone.now()))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _error(request, 400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _error(request, 403)


def form_expired(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form without its token: an old tab, or another site's page."""
    return _error(request, 403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """What is not there is said within the project it was looked for in, for its members."""
    found = re.match(r"/p/([\w-]+)/", request.path)
    if found and not hasattr(request, "project") and request.user.is_authenticated:
        with suppress(Http404):
            enter_project(request, found[1], Role.VIEWER)
    return _error(request, 404)


def server_error(request: HttpRequest) -> HttpResponse:
    if request.path.startswith("/api/"):
        return _error(request, 500)
    return render(None, "500.html", status=500)


ERROR_SENTENCES = {
    400: ("bad_request", "The request was malformed."),
    403: ("not_allowed", "You may not do this. Reload the page and try again."),
    404: ("not_found", "There is nothing at this address."),
    500: ("server_error", "Something broke on our side. It was logged; try again."),
}


def _error(request: HttpRequest, status: int) -> HttpResponse:
    code, sentence = ERROR_SENTENCES[status]
    if request.path.startswith("/api/"):
        body = {"error": {"code": code, "message": sentence}}
        return JsonResponse(body, status=status)
    return render(request, f"{status}.html", status=status)
