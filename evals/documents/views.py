"""The pages of documents: send them, see how they are cut."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from evals.documents import actions
from evals.documents.chunks import Cutting
from evals.documents.finding import set_in
from evals.documents.models import DocumentSet
from evals.documents.preview import Preview
from workbench.core.access import ProjectRequest, project_page
from workbench.core.bodylimit import MOST_BYTES_OF_FILE
from workbench.core.errors import InvalidInput
from workbench.core.models import Role
from workbench.core.paging import page_of

MAKINGS_SHOWN = 20
CUTTING = {
    "target": "The size of a chunk",
    "most": "The largest chunk",
    "overlap": "The text before",
}


@require_safe
@project_page(Role.VIEWER)
def document_list(request: ProjectRequest) -> HttpResponse:
    """Documents sent so far, and the form to send more."""
    rows = DocumentSet.objects.in_project(request.project).select_related("job").with_counts()
    page = page_of(rows, before=request.GET.get("before", ""), after=request.GET.get("after", ""))
    context = {
        "page": page,
        "most_mib": MOST_BYTES_OF_FILE >> 20,
        "most_documents": actions.MOST_DOCUMENTS,
    }
    return render(request, "documents/list.html", context)


@require_POST
@project_page(Role.EDITOR)
def send(request: ProjectRequest) -> HttpResponse:
    """Take the files in, and read them in the background."""
    files = request.FILES.getlist("files")
    made = actions.send_documents(
        request.project,
        files=[actions.Sent(one.name or "", one.chunks()) for one in files],
        by=request.user,
        at=timezone.now(),
        name=request.POST.get("name", ""),
    )
    return redirect("documents:set", request.project.slug, made.pk)


@require_safe
@project_page(Role.VIEWER)
def document_set(request: ProjectRequest, set_id: UUID) -> HttpResponse:
    """The documents with what could not be read, and the chunks they are cut into."""
    found = set_in(request.project, set_id)
    makings = found.makings.select_related("run").newest_first()[:MAKINGS_SHOWN]
    context = {"preview": Preview(found), "found": found, "makings": makings, "tab": "chunks"}
    return render(request, "documents/set.html", context)


@require_POST
@project_page(Role.EDITOR)
def cut(request: ProjectRequest, set_id: UUID) -> HttpResponse:
    """Cut the documents in chunks of another size."""
    numbers = {name: _number(request.POST.get(name, ""), told) for name, told in CUTTING.items()}
    actions.change_cutting(set_in(request.project, set_id), cutting=Cutting(**numbers))
    return redirect("documents:set", request.project.slug, set_id)


@require_POST
@project_page(Role.EDITOR)
def forget(request: ProjectRequest, set_id: UUID) -> HttpResponse:
    actions.forget_documents(set_in(request.project, set_id), at=timezone.now())
    messages.success(request, "The documents are forgotten. Examples made of them stay.")
    return redirect("documents:list", request.project.slug)


def _number(text: str, what: str) -> int:
    if not text.isdecimal() or len(text) > 6:
        raise InvalidInput(f"{what} is a whole number of tokens.")
    return int(text)
