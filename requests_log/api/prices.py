"""Prices over HTTP: the same as on their page."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from requests_log.models import Price
from requests_log.pricing.actions import remove_price, set_price
from requests_log.pricing.reading import LARGEST
from workbench.core.api import endpoint
from workbench.core.authentication import person_of, project_of
from workbench.core.models import Role, Scope

Shape = serializers.Serializer[Any]


class PriceIn(Shape):
    """What a model costs from a moment on; dollars per million tokens."""

    provider = serializers.CharField(max_length=500)
    model = serializers.CharField(max_length=500)
    valid_from = serializers.DateTimeField()
    input = serializers.DecimalField(14, 6, min_value=0, max_value=LARGEST)
    cached = serializers.DecimalField(14, 6, min_value=0, max_value=LARGEST)
    output = serializers.DecimalField(14, 6, min_value=0, max_value=LARGEST)


class PriceOut(PriceIn):
    """A price; `of_project` is false for one of the whole installation."""

    id = serializers.IntegerField()
    of_project = serializers.SerializerMethodField()

    def get_of_project(self, price: Price) -> bool:
        return price.project_id is not None


class PriceSetOut(Shape):
    """The job that computes the cost of the calls since then again."""

    job = serializers.UUIDField()


@extend_schema(methods=["GET"], operation_id="v1_prices_list", responses=PriceOut(many=True))
@extend_schema(methods=["POST"], request=PriceIn, responses={202: PriceSetOut})
@endpoint(role={"POST": Role.OWNER}, GET=Scope.READ, POST=Scope.WRITE)
def prices(request: Request) -> Response:
    """List the edited prices that count for the project, or set one."""
    project = project_of(request)
    if request.method == "GET":
        return Response(PriceOut(Price.objects.for_project(project).by_model(), many=True).data)
    sent = PriceIn(data=request.data)
    sent.is_valid(raise_exception=True)
    values = sent.validated_data
    job = set_price(
        project,
        provider=values["provider"],
        model=values["model"],
        valid_from=values["valid_from"],
        rates=(values["input"], values["cached"], values["output"]),
        by=person_of(request),
    )
    return Response({"job": str(job.pk)}, status=202)


@extend_schema(responses={202: PriceSetOut})
@endpoint(role=Role.OWNER, DELETE=Scope.WRITE)
def price(request: Request, price_id: int) -> Response:
    """Remove one of the project's own prices."""
    found = get_object_or_404(Price, project=project_of(request), pk=price_id)
    job = remove_price(found, by=person_of(request))
    return Response({"job": str(job.pk)}, status=202)
