"""The page of prices: the project's own, everybody's, and the shipped list."""

from __future__ import annotations

from itertools import groupby

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from requests_log.digest.prices import shipped_prices
from requests_log.models import Price
from requests_log.pricing.actions import import_prices, remove_price, set_price
from requests_log.pricing.files import MOST_BYTES, to_csv
from requests_log.pricing.reading import read_moment, read_rate
from workbench.core.access import ProjectRequest, project_page
from workbench.core.errors import InvalidInput
from workbench.core.models import Role

FIELDS = (("input", "Input"), ("cached", "Cached input"), ("output", "Output"))


@require_GET
@project_page(Role.VIEWER)
def page(request: ProjectRequest) -> HttpResponse:
    prices = list(Price.objects.for_project(request.project).by_model())
    shipped = [
        {"provider": provider, "model": model, "rates": rates}
        for provider, model, rates in shipped_prices()
    ]
    asked = {name: request.GET.get(name, "")[:500] for name in ("provider", "model")}
    context = {
        "prices": prices, "in_force": _in_force(prices), "now": timezone.now(),
        "shipped": shipped, "fields": FIELDS, "asked": asked,
    }  # fmt: skip
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
        valid_from=read_moment(posted.get("valid_from", "")),
        rates=(read[0], read[1], read[2]),
        by=request.user,
    )
    messages.success(request, "The price is set. Costs since that day are computed again.")
    return _back(request)


@require_POST
@project_page(Role.OWNER)
def remove(request: ProjectRequest, price_id: int) -> HttpResponse:
    price = get_object_or_404(Price, project=request.project, pk=price_id)
    remove_price(price, by=request.user)
    messages.success(request, "The price is gone. Costs since its day are computed again.")
    return redirect("log:prices", project=request.project.slug)


@require_GET
@project_page(Role.VIEWER)
def export(request: ProjectRequest) -> HttpResponse:
    """The project's own prices as a CSV file."""
    own = Price.objects.filter(project=request.project).by_model()
    name = f"prices-{request.project.slug}.csv"
    return HttpResponse(
        to_csv(own),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@require_POST
@project_page(Role.OWNER)
def take_in(request: ProjectRequest) -> HttpResponse:
    """Set the prices of an uploaded CSV file."""
    file = request.FILES.get("file")
    if file is None:
        raise InvalidInput("Choose a CSV file of prices.")
    count = import_prices(request.project, file.read(MOST_BYTES + 1), by=request.user)
    messages.success(request, f"{count} prices are set. Costs since the first are computed again.")
    return _back(request)


def _in_force(prices: list[Price]) -> set[int]:
    """The prices that hold now, each for its model and owner."""
    now = timezone.now()
    begun = [price for price in prices if price.valid_from <= now]
    groups = groupby(begun, key=lambda price: (price.provider, price.model, price.project_id))
    return {next(group).pk for _, group in groups}


def _back(request: ProjectRequest) -> HttpResponse:
    """A form in a dialog stays as it is while something in it will not do; else it is left."""
    address = reverse("log:prices", args=[request.project.slug])
    if request.headers.get("HX-Request"):
        return HttpResponse(status=204, headers={"HX-Redirect": address})
    return HttpResponseRedirect(address)
