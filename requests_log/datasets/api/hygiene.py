"""Checking a dataset over HTTP: start, read what was found, fix, undo."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from requests_log.datasets.hygiene import actions
from requests_log.datasets.hygiene.advice import verdicts
from requests_log.datasets.hygiene.models import Check, Finding, Fix, HygieneRun
from requests_log.datasets.models import Dataset
from workbench.core.api import endpoint
from workbench.core.authentication import project_of
from workbench.core.errors import InvalidInput, NotFound
from workbench.core.models import Scope, User
from workbench.core.paging import page_of, page_size

Shape = serializers.Serializer[Any]
_FINDINGS = [
    OpenApiParameter("check", str, enum=Check.values, required=True),
    OpenApiParameter("before", OpenApiTypes.UUID),
    OpenApiParameter("limit", int),
]


class CheckIn(Shape):
    base_model = serializers.CharField(required=False, allow_blank=True, default="")
    alike = serializers.FloatField(required=False, default=70, help_text="Per cent, 50 to 100.")
    heldout = serializers.FloatField(required=False, default=10, help_text="Per cent.")


class VerdictOut(Shape):
    title = serializers.CharField()
    word = serializers.CharField()
    sentence = serializers.CharField()


class CheckOut(Shape):
    """A check; `to_fix` counts by fault what is left of it, `summary` is there once it is done."""

    id = serializers.UUIDField()
    state = serializers.CharField(source="job.state", default="succeeded")
    settings = serializers.DictField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    summary = serializers.DictField()
    to_fix = serializers.SerializerMethodField()
    verdicts = serializers.SerializerMethodField()

    def get_to_fix(self, run: HygieneRun) -> dict[str, int]:
        return actions.findings_by_check(run)

    def get_verdicts(self, run: HygieneRun) -> list[dict[str, str]]:
        if run.finished_at is None:
            return []
        told = verdicts(run.summary, actions.findings_by_check(run))
        return [{"title": v.title, "word": v.word, "sentence": v.sentence} for v in told]


class FindingOut(Shape):
    id = serializers.UUIDField()
    example_id = serializers.UUIDField()
    cluster = serializers.IntegerField()
    keep = serializers.BooleanField(help_text="A fix of everything leaves this one.")
    note = serializers.CharField()


class FindingPageOut(Shape):
    findings = FindingOut(many=True)
    next = serializers.UUIDField(allow_null=True, help_text="Send as `before` for further ones.")


class FixIn(Shape):
    """Fix what a check found: the findings of `ids`, or everything it would fix."""

    check_name = serializers.ChoiceField(Check.choices)
    how = serializers.ChoiceField(Fix.How.choices)
    ids = serializers.ListField(child=serializers.UUIDField(), required=False, max_length=10_000)


class FixOut(Shape):
    id = serializers.UUIDField()
    check_name = serializers.CharField()
    how = serializers.CharField()
    count = serializers.IntegerField()
    job = serializers.UUIDField(source="job_id", allow_null=True)
    undone_at = serializers.DateTimeField(allow_null=True)


class UndoneOut(Shape):
    restored = serializers.IntegerField()


@extend_schema(methods=["GET"], responses=CheckOut)
@extend_schema(methods=["POST"], request=CheckIn, responses={202: CheckOut})
@endpoint(GET=Scope.READ, POST=Scope.WRITE)
def checks(request: Request, slug: str) -> Response:
    """Read the newest check, or start one, which a job does."""
    dataset = _dataset(request, slug)
    if request.method == "GET":
        return Response(CheckOut(_newest(dataset)).data)
    values = _checked(CheckIn, request)
    run = actions.start_check(dataset, by=_person(request), **values)
    return Response(CheckOut(run).data, status=202)


@extend_schema(parameters=_FINDINGS, responses=FindingPageOut)
@endpoint(GET=Scope.READ)
def findings(request: Request, slug: str) -> Response:
    """The examples that the newest check pointed at and that are still as they were."""
    query = request.query_params
    name = query.get("check", "")
    if name not in Check.values:
        raise InvalidInput(f"Name a check: {', '.join(Check.values)}.")
    rows = Finding.objects.of_check(_newest(_dataset(request, slug)), name).still_there()
    page = page_of(rows, before=query.get("before", ""), size=page_size(query.get("limit", "")))
    return Response(FindingPageOut({"findings": page.rows, "next": page.older}).data)


@extend_schema(methods=["GET"], responses=FixOut(many=True))
@extend_schema(methods=["POST"], request=FixIn, responses={201: FixOut})
@endpoint(GET=Scope.READ, POST=Scope.WRITE)
def fixes(request: Request, slug: str) -> Response:
    """List the fixes, newest first, or drop or redact what the newest check found."""
    dataset = _dataset(request, slug)
    if request.method == "GET":
        found = Fix.objects.filter(dataset=dataset).newest_first()[:200]
        return Response(FixOut(found, many=True).data)
    values = _checked(FixIn, request)
    done = actions.fix_findings(
        _newest(dataset), check=values["check_name"], how=values["how"], by=_person(request),
        at=timezone.now(), ids=values.get("ids"),
    )  # fmt: skip
    return Response(FixOut(done.fix).data, status=201)


@extend_schema(request=None, responses=UndoneOut)
@endpoint(POST=Scope.WRITE)
def undo(request: Request, slug: str, fix_id: str) -> Response:
    """Take a fix back; what was changed or added again since stays as it is."""
    found = get_object_or_404(Fix.objects.filter(dataset=_dataset(request, slug)), pk=fix_id)
    return Response({"restored": actions.undo_fix(found, at=timezone.now())})


def _newest(dataset: Dataset) -> HygieneRun:
    runs = HygieneRun.objects.filter(dataset=dataset).select_related("job", "dataset__project")
    found = runs.newest_first().first()
    if found is None:
        raise NotFound(f"“{dataset}” was not checked yet. Start a check first.")
    return found


def _dataset(request: Request, slug: str) -> Dataset:
    found = Dataset.objects.in_project(project_of(request)).select_related("project")
    return get_object_or_404(found, slug=slug)


def _person(request: Request) -> User | None:
    return request.user if isinstance(request.user, User) else None


def _checked(shape: type[Shape], request: Request) -> dict[str, Any]:
    given = shape(data=request.data)
    given.is_valid(raise_exception=True)
    return dict(given.validated_data)
