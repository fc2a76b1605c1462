"""Prompts over HTTP: list, make, fetch, save versions, compare, compile."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from prompts import actions
from prompts.api import serializers as shapes
from prompts.content import content_of
from prompts.diffing import differences
from prompts.models import LARGE, Prompt, PromptVersion
from prompts.names import read_number
from prompts.resolving import compiled, fetch, find_prompt, version_of
from workbench.core.api import endpoint
from workbench.core.authentication import person_of, project_of
from workbench.core.errors import InvalidInput
from workbench.core.etags import unless_known
from workbench.core.models import Scope
from workbench.core.paging import page_of, page_size

CACHE = "private, max-age=60"
_CONTENT = ("body", "syntax", "variables", "few_shot", "tools", "response_schema", "settings")
_LIST = [
    OpenApiParameter("before", OpenApiTypes.UUID),
    OpenApiParameter("limit", int),
    OpenApiParameter("folder", str, description="Prompts below it, however deep."),
    OpenApiParameter("tag", str),
    OpenApiParameter("label", str),
    OpenApiParameter("q", str, description="Words of the name or the description."),
    OpenApiParameter("archived", bool, description="1: those that are put away."),
]
_WHICH = [
    OpenApiParameter("label", str, description="production unless told; latest if there is none."),
    OpenApiParameter("version", int),
    OpenApiParameter("key", str, description="Session or user, for a label that is split."),
]
_PAIR = [OpenApiParameter("from", int, required=True), OpenApiParameter("to", int, required=True)]


@extend_schema(
    methods=["GET"],
    operation_id="v1_prompts_list",  # the framework would call it as the one below
    parameters=_LIST,
    responses=shapes.PromptPageOut,
)
@extend_schema(methods=["POST"], request=shapes.PromptIn, responses={201: shapes.SavedOut})
@endpoint(GET=Scope.PROMPTS, POST=Scope.WRITE)
def prompts(request: Request) -> Response:
    """List the prompts, newest first, or make one with its first version."""
    if request.method == "GET":
        query = {name: str(value).replace("\0", "") for name, value in request.query_params.items()}
        rows = _listed(request, query).with_labels()
        page = page_of(rows, before=query.get("before", ""), size=page_size(query.get("limit", "")))
        return Response(shapes.PromptPageOut({"prompts": page.rows, "next": page.older}).data)
    values = _checked(shapes.PromptIn, request)
    saved = actions.create_prompt(
        project_of(request), name=values["name"], content=_content(request),
        by=person_of(request), at=timezone.now(), message=values.get("message", ""),
        description=values.get("description", ""), tags=values.get("tags", []),
    )  # fmt: skip
    return Response(shapes.SavedOut(saved).data, status=201)


@extend_schema(methods=["GET"], parameters=_WHICH, responses=shapes.FetchedOut)
@extend_schema(methods=["PATCH"], request=shapes.PromptChangeIn, responses=shapes.PromptOut)
@extend_schema(methods=["DELETE"], responses={204: None})
@endpoint(GET=Scope.PROMPTS, PATCH=Scope.WRITE, DELETE=Scope.WRITE)
def prompt(request: Request, name: str) -> Response:
    """Fetch a version by name and label (or `name:3`, `prompts:/name@label`); answers 304 when
    `If-None-Match` still holds. Or change what is said of the prompt, archive or delete it.
    """
    if request.method == "GET":
        query = request.query_params
        number = query.get("version", "")
        found = fetch(
            project_of(request), name, label=query.get("label", ""), key=query.get("key", ""),
            version=read_number(number) if number else None,
        )  # fmt: skip
        return unless_known(request, dict(shapes.FetchedOut(found).data), cache=CACHE)
    chosen = find_prompt(project_of(request), name)
    if request.method == "DELETE":
        actions.delete_prompt(chosen, by=person_of(request), at=timezone.now())
        return Response(status=204)
    doer = {"by": person_of(request), "at": timezone.now()}
    changed = _changed(chosen, _checked(shapes.PromptChangeIn, request), doer)
    return Response(shapes.PromptOut(changed).data)


@extend_schema(methods=["GET"], responses=shapes.PromptVersionOut(many=True))
@extend_schema(
    methods=["POST"],
    request=shapes.ContentIn,
    responses={200: shapes.SavedOut, 201: shapes.SavedOut},
)
@endpoint(GET=Scope.PROMPTS, POST=Scope.WRITE)
def versions(request: Request, name: str) -> Response:
    """List the versions, newest first, or save the next one; 200 when its content was there."""
    chosen = find_prompt(project_of(request), name)
    if request.method == "GET":
        rows = PromptVersion.objects.filter(prompt=chosen).select_related("created_by")
        return Response(shapes.PromptVersionOut(rows.newest_first().defer(*LARGE), many=True).data)
    values = _checked(shapes.ContentIn, request)
    saved = actions.save_version(
        chosen, content=_content(request), by=person_of(request), at=timezone.now(),
        message=values.get("message", ""),
    )  # fmt: skip
    return Response(shapes.SavedOut(saved).data, status=201 if saved.is_new else 200)


@extend_schema(parameters=_PAIR, responses=shapes.DiffOut)
@endpoint(GET=Scope.PROMPTS)
def diff(request: Request, name: str) -> Response:
    """What differs between two versions, part by part; snippets stay refs."""
    chosen = find_prompt(project_of(request), name)
    query = request.query_params
    old, new = (version_of(chosen, read_number(query.get(end, ""))) for end in ("from", "to"))
    changes = differences(content_of(old), content_of(new))
    told = {"name": name, "before": old.number, "after": new.number, "changes": changes}
    return Response(shapes.DiffOut(told).data)


@extend_schema(request=shapes.CompileIn, responses=shapes.CompiledOut)
@endpoint(POST=Scope.PROMPTS)
def compile_prompt(request: Request, name: str) -> Response:
    """The text, or the messages, with values put in for the variables."""
    values = _checked(shapes.CompileIn, request)
    found = fetch(
        project_of(request), name, label=values.get("label", ""), version=values.get("version"),
        key=values["key"],
    )  # fmt: skip
    done = compiled(found.content, values["variables"])
    told = {"name": found.prompt.name, "version": found.version.number, "label": found.label}
    return Response(told | {"text" if isinstance(done, str) else "messages": done})


def _listed(request: Request, query: dict[str, str]) -> Any:
    found = Prompt.objects.in_project(project_of(request))
    archived = query.get("archived", "") in ("1", "true")
    found = found.exclude(archived_at=None) if archived else found.current()
    return (
        found.in_folder(query.get("folder", ""))
        .tagged(query.get("tag", ""))
        .labelled(query.get("label", ""))
        .matching(query.get("q", ""))
    )


def _changed(prompt: Prompt, values: dict[str, Any], doer: dict[str, Any]) -> Prompt:
    archived = values.pop("archived", None)
    prompt = actions.describe(prompt, **values, **doer)
    if archived is None:
        return prompt
    return actions.archive(prompt, **doer) if archived else actions.unarchive(prompt, **doer)


def _content(request: Request) -> dict[str, Any]:
    """As it was sent: keys in their order, and those of providers kept."""
    sent: Any = request.data
    return {name: sent[name] for name in _CONTENT if name in sent}


def _checked(shape: type[shapes.Shape], request: Request) -> dict[str, Any]:
    if not isinstance(request.data, dict):
        raise InvalidInput("Send a JSON object.")
    given = shape(data=request.data)
    given.is_valid(raise_exception=True)
    return dict(given.validated_data)
