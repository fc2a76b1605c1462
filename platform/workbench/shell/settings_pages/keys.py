"""API keys: made here, shown once."""

from __future__ import annotations

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from workbench.core.access import ProjectRequest, project_page
from workbench.core.actions import create_api_key, revoke_api_key
from workbench.core.errors import InvalidInput
from workbench.core.models import ApiKey, Role, Scope
from workbench.gateway.actions import accounts_of, remove_budget, set_budget
from workbench.gateway.models import KeyBudget


@require_safe
@project_page(Role.EDITOR)
def page(request: ProjectRequest) -> HttpResponse:
    return render(request, "shell/settings/keys.html", _context(request))


@require_http_methods(["GET", "POST"])
@never_cache
@project_page(Role.EDITOR)
def create(request: ProjectRequest) -> HttpResponse:
    if request.method == "GET":  # the address of the page that showed a key, opened again
        return redirect("shell:keys", project=request.project.slug)
    with transaction.atomic():
        key, text = create_api_key(
            request.project,
            name=request.POST.get("name", ""),
            scopes=request.POST.getlist("scopes"),
            by=request.user,
        )
        _save_budget(request, key)
    context = {**_context(request), "new_key": key, "new_key_text": str(text)}
    return render(request, "shell/settings/keys.html", context)


@require_POST
@project_page(Role.EDITOR)
def revoke(request: ProjectRequest, key_id: int) -> HttpResponse:
    key = get_object_or_404(ApiKey, project=request.project, pk=key_id)
    revoke_api_key(key, at=timezone.now())
    return redirect("shell:keys", project=request.project.slug)


@require_POST
@project_page(Role.EDITOR)
def budget(request: ProjectRequest, key_id: int) -> HttpResponse:
    key = get_object_or_404(ApiKey, project=request.project, pk=key_id)
    try:
        _save_budget(request, key)
    except InvalidInput as problem:
        messages.error(request, problem.sentence)
    return redirect("shell:keys", project=request.project.slug)


def _save_budget(request: ProjectRequest, key: ApiKey) -> None:
    """An empty amount is no budget."""
    amount = request.POST.get("amount", "").strip()
    if amount:
        set_budget(key, amount=amount, period=request.POST.get("period", ""))
    else:
        remove_budget(key)


def _context(request: ProjectRequest) -> dict[str, object]:
    accounts = accounts_of(request.project, today=timezone.now().date())
    return {"accounts": accounts, "scopes": Scope.choices, "periods": KeyBudget.Period.choices}
