"""The page of prices: the project's own, everybody's, and the shipped list."""

from __future__ import annotations

from datetime import UTC, datetime

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.dateparse import parse_date
from django.views.decorators.http import require_GET, require_POST

from requests_log.digest.prices import shipped_prices
from requests_log.models import Price
from requests_log.pricing.actions import read_rate, remove_price, set_price
from workbench.core.access import ProjectRequest, project_page
from workbench.core.errors import InvalidInput
from workbench.core.models import Role

FIELDS = (("input", "Input"), ("cached", "Cached input"), ("output", "Output"))


@require_GET
@project_page(Role.VIEWER)
def page(request: ProjectRequest) -> HttpResponse:
    prices = Price.objects.for_project(request.project).by_model()
    shipped = [
        {"provider": provider, "model": model, "rates": rates}
        for provider, model, rates in shipped_prices()
    ]
    context = {"prices": prices, "shipped": shipped, "fields": FIELDS}
    return render(request, "requests_log/prices.html", context)


@require_POST
@project_page(Role.OWNER)
def add(request: ProjectRequest) -> HttpResponse:
    posted = request.POST
    read = [read_rate(label, posted.get(name, "")) for name, label in FIELDS]
    set_price(
        request.project,
        provider=posted.get("provider", ""),
        model=posted.get("model", ""),
        valid_from=_midnight(posted.get("valid_from", "")),
        rates=(read[0], read[1], read[2]),
        by=request.user,
    )
    messages.success(request, "The price is set. Costs since that day are computed again.")
    return redirect("log:prices", project=request.project.slug)


@require_POST
@project_page(Role.OWNER)
def remove(request: ProjectRequest, price_id: int) -> HttpResponse:
    price = get_object_or_404(Price, project=request.project, pk=price_id)
    remove_price(price, by=request.user)
    messages.success(request, "The price is gone. Costs since its day are computed again.")
    return redirect("log:prices", project=request.project.slug)


def _midnight(text: str) -> datetime:
    try:
        day = parse_date(text)
    except ValueError:
        day = None
    if day is None:
        raise InvalidInput("Valid from: give a day, such as 2026-11-01.")
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
