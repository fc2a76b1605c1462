"""Rows that wait for people, over HTTP."""

from __future__ import annotations

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from evals.pipelines import people
from evals.pipelines.api.requests import checked, person
from evals.pipelines.api.runs import run_in
from evals.pipelines.api.serializers import PipelineRunOut, Shape
from evals.pipelines.models import HumanTask
from workbench.core.api import endpoint
from workbench.core.errors import InvalidInput
from workbench.core.models import Scope
from workbench.core.paging import page_size


class HumanTaskOut(Shape):
    """A row that waits: `text` is the answer to approve or change, empty to write one."""

    id = serializers.IntegerField(source="task.pk")
    position = serializers.IntegerField(source="task.row.position")
    step = serializers.IntegerField(source="task.step")
    instructions = serializers.CharField()
    shown = serializers.DictField(child=serializers.CharField())
    text = serializers.CharField()
    is_json = serializers.BooleanField()


class HumanTaskPageOut(Shape):
    tasks = HumanTaskOut(many=True)
    done = serializers.IntegerField()
    total = serializers.IntegerField()
    next = serializers.IntegerField(allow_null=True, help_text="Give it as `after`.")


class HumanDecisionIn(Shape):
    decision = serializers.ChoiceField(HumanTask.Outcome.choices)
    text = serializers.CharField(
        required=False, allow_blank=True, default="", trim_whitespace=False,
        help_text="The answer, for `written`.",
    )  # fmt: skip


@extend_schema(
    parameters=[OpenApiParameter("after", int), OpenApiParameter("limit", int)],
    responses=HumanTaskPageOut,
)
@endpoint(GET=Scope.READ)
def tasks(request: Request, run_id: str) -> Response:
    """The rows of a run that nobody decided yet, in order."""
    run = run_in(request, run_id)
    query = request.query_params
    size, after = page_size(query.get("limit", "")), query.get("after", "") or "0"
    if not after.isdecimal() or len(after) > 18:
        raise InvalidInput("after must be a task's id.")
    rows = HumanTask.objects.of_run(run).open().filter(pk__gt=int(after)).order_by("pk")
    related = rows.select_related("row", "run__definition", "run__pipeline__project")
    found = list(related[: size + 1])
    how_far = people.progress(run)
    body = {
        "tasks": [people.shown(task) for task in found[:size]],
        "done": how_far.done,
        "total": how_far.total,
        "next": found[size - 1].pk if len(found) > size else None,
    }
    return Response(HumanTaskPageOut(body).data)


@extend_schema(request=HumanDecisionIn, responses=PipelineRunOut)
@endpoint(POST=Scope.WRITE)
def decision(request: Request, run_id: str, number: str) -> Response:
    """Approve the answer, write another one, or reject the row; the run as it is then."""
    run = run_in(request, run_id)
    found = get_object_or_404(HumanTask.objects.of_run(run), pk=int(number))
    values = checked(HumanDecisionIn, request)
    done = people.decide(
        found, outcome=values["decision"], text=values["text"], by=person(request),
        at=timezone.now(),
    )  # fmt: skip
    return Response(PipelineRunOut(done).data)
