"""Signing in and out, first-run set-up."""

from __future__ import annotations

from django.contrib.auth import login, logout
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from workbench.core.access import open_page, signed_in
from workbench.core.actions import first_run_setup
from workbench.core.errors import InvalidInput
from workbench.core.forms import SetupForm, SignInForm
from workbench.core.models import User
from workbench.core.signing_in import TooManyAttempts, sign_in_with_password


@open_page
@never_cache
@require_http_methods(["GET", "POST"])
def setup(request: HttpRequest) -> HttpResponse:
    if User.objects.exists():
        return redirect("core:sign-in")
    form = SetupForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            user, project = first_run_setup(**form.cleaned_data)
        except InvalidInput as problem:
            form.add_error(None, problem.sentence)
        else:
            login(request, user)
            return redirect("shell:home", project=project.slug)
    return render(request, "core/setup.html", {"form": form}, status=422 if form.errors else 200)


@open_page
@never_cache
@require_http_methods(["GET", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    if not User.objects.exists():
        return redirect("core:setup")
    form = SignInForm(request.POST or None)
    if request.method != "POST" or not form.is_valid():
        return _sign_in_page(request, form)
    address = request.META.get("REMOTE_ADDR", "")
    try:
        user = sign_in_with_password(**form.cleaned_data, address=address, at=timezone.now())
    except TooManyAttempts as problem:
        form.add_error(None, problem.sentence)
        answer = _sign_in_page(request, form, status=problem.status)
        answer["Retry-After"] = str(problem.retry_after)
        return answer
    if user is None:
        form.add_error(None, "The address or the password is wrong. Check both and try again.")
        return _sign_in_page(request, form)
    login(request, user)
    return HttpResponseRedirect(_next(request))


def _sign_in_page(
    request: HttpRequest, form: SignInForm, *, status: int | None = None
) -> HttpResponse:
    context = {"form": form, "next": request.POST.get("next") or request.GET.get("next", "")}
    status = status or (422 if form.errors else 200)
    return render(request, "core/sign_in.html", context, status=status)


@require_POST
@signed_in
def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect("core:sign-in")


def _next(request: HttpRequest) -> str:
    target = request.POST.get("next") or request.GET.get("next", "")
    safe = url_has_allowed_host_and_scheme(target, allowed_hosts={request.get_host()})
    return target if safe else "/"
