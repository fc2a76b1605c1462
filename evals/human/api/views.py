"""Rating forms and studies over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from evals.human import actions, changing
from evals.human.actions import Matching, Plan, Sides
from evals.human.api import serializers as shapes
from evals.human.export import results_of
from evals.human.models import RatingForm, RatingFormVersion, Study
from evals.human.progress import progress_of
from evals.human.raters import members_named
from evals.models import Comparison
from requests_log.datasets.models import Dataset
from workbench.core.api import endpoint
from workbench.core.authentication import person_of, project_of
from workbench.core.errors import InvalidInput
from workbench.core.models import Scope
from workbench.core.paging import page_of, page_size

_PAGING = [OpenApiParameter("before", OpenApiTypes.UUID), OpenApiParameter("limit", int)]
_PLANNED = ("items", "per_item", "per_rater", "instructions", "both_bad", "seed")


@extend_schema(
    methods=["GET"], parameters=_PAGING, responses=shapes.FormVersionOut(many=True),
    operation_id="v1_rating_forms_list",
)  # fmt: skip
@extend_schema(methods=["POST"], request=shapes.FormIn, responses={201: shapes.FormVersionOut})
@endpoint(GET=Scope.READ, POST=Scope.WRITE)
def rating_forms(request: Request) -> Response:
    """List the newest version of every form, or make a form."""
    project = project_of(request)
    if request.method == "POST":
        given = shapes.FormIn(data=request.data)
        given.is_valid(raise_exception=True)
        values = given.validated_data
        made = actions.save_form(
            project, name=values["name"], fields=values["questions"], by=person_of(request)
        )
        return Response(shapes.FormVersionOut(made).data, status=201)
    asked = request.query_params
    forms = RatingForm.objects.in_project(project)
    page = page_of(forms, before=asked.get("before", ""), size=page_size(asked.get("limit", "")))
    newest = RatingFormVersion.objects.filter(form__in=page.rows).newest_of_each()
    rows = list(newest.select_related("form"))[::-1]
    return Response({"forms": shapes.FormVersionOut(rows, many=True).data, "next": page.older})


@extend_schema(methods=["GET"], responses=shapes.FormVersionOut)
@extend_schema(
    methods=["POST"], request=shapes.FormVersionIn, responses={201: shapes.FormVersionOut},
    operation_id="v1_rating_form_versions_create",
)  # fmt: skip
@endpoint(GET=Scope.READ, POST=Scope.WRITE)
def rating_form(request: Request, form_id: str) -> Response:
    """A form's newest version, or the next one."""
    form = get_object_or_404(RatingForm.objects.in_project(project_of(request)), pk=form_id)
    if request.method == "GET":
        return Response(shapes.FormVersionOut(form.versions.newest_first().first()).data)
    given = shapes.FormVersionIn(data=request.data)
    given.is_valid(raise_exception=True)
    made = actions.save_form_version(
        form, fields=given.validated_data["questions"], by=person_of(request)
    )
    return Response(shapes.FormVersionOut(made).data, status=201)


@extend_schema(
    methods=["GET"], parameters=_PAGING, responses=shapes.StudyOut(many=True),
    operation_id="v1_studies_list",
)  # fmt: skip
@extend_schema(methods=["POST"], request=shapes.StudyIn, responses={201: shapes.StudyOut})
@endpoint(GET=Scope.READ, POST=Scope.WRITE)
def studies(request: Request) -> Response:
    """List the studies, newest first, or start one."""
    project = project_of(request)
    if request.method == "GET":
        asked = request.query_params
        rows = Study.objects.in_project(project).select_related("form")
        page = page_of(rows, before=asked.get("before", ""), size=page_size(asked.get("limit", "")))
        body = shapes.StudyOut(page.rows, many=True).data
        return Response({"studies": body, "next": page.older})
    given = shapes.StudyIn(data=request.data)
    given.is_valid(raise_exception=True)
    values = given.validated_data
    plan = {name: values[name] for name in _PLANNED}
    made = actions.start_study(
        project, name=values["name"], of=_subject(request, values), form=_version(request, values),
        plan=Plan(**plan, raters=members_named(project, values["raters"])),
        by=person_of(request), at=timezone.now(),
    )  # fmt: skip
    return Response(shapes.StudyOut(made).data, status=201)


@extend_schema(methods=["GET"], responses=shapes.StudyProgressOut)
@extend_schema(methods=["DELETE"], responses={204: None})
@endpoint(GET=Scope.READ, DELETE=Scope.WRITE)
def study(request: Request, study_id: str) -> Response:
    """One study with its progress, nothing of what raters said; or delete it with all of that."""
    found = study_in(request, study_id)
    if request.method == "DELETE":
        changing.delete_study(found)
        return Response(status=204)
    progress = progress_of(found)
    body = dict(shapes.StudyOut(found).data)
    raters = shapes.RaterOut(progress.raters, many=True).data
    return Response({**body, "done": progress.done, "total": progress.total, "raters": raters})


@extend_schema(request=shapes.RatersIn, responses=shapes.StudyOut)
@endpoint(POST=Scope.WRITE)
def raters(request: Request, study_id: str) -> Response:
    """Choose who rates from now on; what those who go have said stays."""
    given = shapes.RatersIn(data=request.data)
    given.is_valid(raise_exception=True)
    chosen = members_named(project_of(request), given.validated_data["raters"])
    changed = changing.choose_raters(study_in(request, study_id), raters=chosen)
    return Response(shapes.StudyOut(changed).data)


@extend_schema(request=None, responses=shapes.StudyOut)
@endpoint(POST=Scope.WRITE)
def archive(request: Request, study_id: str) -> Response:
    """Put a finished study away."""
    changing.archive_study(study_in(request, study_id), at=timezone.now())
    return Response(shapes.StudyOut(study_in(request, study_id)).data)


@extend_schema(request=None, responses=shapes.StudyOut)
@endpoint(POST=Scope.WRITE)
def unarchive(request: Request, study_id: str) -> Response:
    """Take a study up again."""
    changing.unarchive_study(study_in(request, study_id))
    return Response(shapes.StudyOut(study_in(request, study_id)).data)


@extend_schema(request=None, responses=shapes.StudyOut)
@endpoint(POST=Scope.WRITE)
def finish(request: Request, study_id: str) -> Response:
    """Close the study, so that its results can be read."""
    found = actions.finish_study(study_in(request, study_id), at=timezone.now())
    return Response(shapes.StudyOut(found).data)


@extend_schema(responses=shapes.StudyResultsOut)
@endpoint(GET=Scope.READ)
def results(request: Request, study_id: str) -> Response:
    """What a finished study found."""
    found = study_in(request, study_id)
    actions.require_finished(found)
    return Response(results_of(found))


@extend_schema(request=None, responses={202: OpenApiTypes.OBJECT})
@endpoint(POST=Scope.WRITE)
def scores(request: Request, study_id: str) -> Response:
    """Write the ratings of a finished study as scores, as a job."""
    queued = actions.queue_scores(study_in(request, study_id), by=person_of(request))
    return Response({"job": str(queued.job_id)}, status=202)


def study_in(request: Request, study_id: str) -> Study:
    rows = Study.objects.in_project(project_of(request))
    return get_object_or_404(
        rows.select_related("project", "form__form", "comparison"), pk=study_id
    )


def _subject(request: Request, values: Mapping[str, Any]) -> Sides | Matching | Dataset:
    project = project_of(request)
    named = [name for name in ("comparison", "query", "dataset") if values[name] is not None]
    if len(named) != 1:
        raise InvalidInput("Say what is judged: give a comparison, a query, or a dataset.")
    if named == ["query"]:
        return Matching(values["query"])
    if named == ["dataset"]:
        datasets = Dataset.objects.in_project(project)
        return get_object_or_404(datasets, slug=values["dataset"])
    comparisons = Comparison.objects.in_project(project)
    found = get_object_or_404(comparisons, pk=values["comparison"])
    return Sides(found, values["candidates"])


def _version(request: Request, values: Mapping[str, Any]) -> RatingFormVersion | None:
    if values["form"] is None:
        return None
    versions = RatingFormVersion.objects.in_project(project_of(request)).filter(form=values["form"])
    if values["version"] is not None:
        versions = versions.filter(number=values["version"])
    found = versions.select_related("form").newest_first().first()
    if found is None:
        raise Http404("There is no such form.")
    return found
