"""Pairs over HTTP: priced, started, followed, decided on, added to a dataset."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from evals.documents.api import serializers as shapes
from evals.documents.finding import making_in, pair_in, set_in
from evals.documents.making import deciding
from evals.documents.making.reading import standing_of
from evals.documents.making.starting import Asking, priced, start_pairs
from evals.documents.models import Making
from requests_log.datasets.actions import create_dataset
from requests_log.datasets.models import Dataset
from workbench.core.api import endpoint
from workbench.core.authentication import key_of, project_of
from workbench.core.models import Scope

SIZE = 100
_SHOWING = [
    OpenApiParameter("show", str, description="kept, dropped, repeated, or a verdict."),
    OpenApiParameter("after", int, description="Only pairs behind this number."),
]


@extend_schema(request=shapes.AskingIn, responses=shapes.PairsPriceOut)
@endpoint(POST=Scope.WRITE)
def price(request: Request, set_id: UUID) -> Response:
    """What making pairs would cost at most; nothing is asked of a model."""
    asking, _ = _asking(request)
    told = priced(set_in(project_of(request), set_id), asking)
    steps = [asdict(one) for one in told.steps]
    body = {"rows": told.rows, "cost": told.cost, "steps": steps, "unpriced": told.unpriced}
    return Response(shapes.PairsPriceOut(body).data)


@extend_schema(request=shapes.AskingIn, responses={201: shapes.MakingOut})
@endpoint(POST=Scope.WRITE)
def start(request: Request, set_id: UUID) -> Response:
    """Start making pairs of all chunks."""
    asking, budget = _asking(request)
    found = set_in(project_of(request), set_id)
    made = start_pairs(found, asking=asking, by=key_of(request).created_by, budget=budget)
    return Response(_told(made, request), status=201)


@extend_schema(parameters=_SHOWING, responses=shapes.MakingOut)
@endpoint(GET=Scope.READ)
def making(request: Request, set_id: UUID, making_id: UUID) -> Response:
    """How far the pairs are, what is to be said of them, and a hundred of them."""
    return Response(_told(making_in(project_of(request), set_id, making_id), request))


@extend_schema(request=shapes.DecisionIn, responses=shapes.PairOut)
@endpoint(PATCH=Scope.WRITE)
def pair(request: Request, set_id: UUID, making_id: UUID, number: int) -> Response:
    """Keep or drop a pair, or say it in other words (which keeps it)."""
    given = shapes.DecisionIn(data=request.data)
    given.is_valid(raise_exception=True)
    values = given.validated_data
    found = pair_in(making_in(project_of(request), set_id, making_id), int(number))
    by, at = key_of(request).created_by, timezone.now()
    texts = {name: values.get(name, getattr(found, name)) for name in ("question", "answer")}
    if texts != {"question": found.question, "answer": found.answer}:
        found = deciding.change(found, **texts, by=by, at=at)
    if "decision" in values:
        found = deciding.decide(found, decision=values["decision"], by=by, at=at)
    return Response(shapes.PairOut(found).data)


@extend_schema(request=shapes.AddIn, responses=shapes.PairsAddedOut)
@endpoint(POST=Scope.WRITE)
def add(request: Request, set_id: UUID, making_id: UUID) -> Response:
    """Add the kept pairs to a dataset, or to a new one of a name."""
    given = shapes.AddIn(data=request.data)
    given.is_valid(raise_exception=True)
    project, slug = project_of(request), given.validated_data.get("dataset", "")
    found = making_in(project, set_id, making_id)
    if slug:
        dataset = get_object_or_404(Dataset.objects.in_project(project), slug=slug)
    else:
        name = given.validated_data.get("name", "")
        dataset = create_dataset(project, name=name, by=key_of(request).created_by)
    taken = deciding.add_to_dataset(found, dataset=dataset)
    return Response(shapes.PairsAddedOut({"dataset": dataset.slug, **asdict(taken)}).data)


def _asking(request: Request) -> tuple[Asking, Any]:
    given = shapes.AskingIn(data=request.data)
    given.is_valid(raise_exception=True)
    values = dict(given.validated_data)
    budget = values.pop("budget", None)
    if "judge_version" in values:
        values["judge_version"] = str(values["judge_version"])
    return Asking(**values), budget


def _told(found: Making, request: Request) -> dict[str, Any]:
    standing = standing_of(found)
    rows = found.pairs.shown_as(request.query_params.get("show", "")).in_order()
    after = request.query_params.get("after", "")
    if after.isdecimal() and len(after) < 10:
        rows = rows.filter(number__gt=int(after))
    body = {
        "id": found.pk,
        "state": found.run.state,
        "note": found.run.note,
        "teacher": found.teacher,
        "judge": found.judge,
        "spent": standing.spent,
        "counts": standing.counts,
        "lost": found.lost,
        "findings": [asdict(one) for one in standing.findings] if standing.is_gathered else [],
        "pairs": rows[:SIZE],
    }
    return dict(shapes.MakingOut(body).data)
