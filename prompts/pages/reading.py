"""Pages to read: the list, a prompt, what differs between two versions."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from prompts.content import Content, content_of
from prompts.diffing import as_text, differences
from prompts.models import Prompt, PromptVersion
from prompts.pages.finding import number_in, prompt_of
from prompts.reading import PromptReading, deleted_prompts, listing
from prompts.resolving import version_of
from workbench.core.access import ProjectRequest, project_page
from workbench.core.errors import NotFound
from workbench.core.models import Role
from workbench.core.worddiff import word_diff


@require_safe
@project_page(Role.VIEWER)
def prompt_list(request: ProjectRequest) -> HttpResponse:
    """A folder's prompts; `?q=` searches below it, `?archived=1` shows what is put away."""
    asked = {name: request.GET.get(name, "").replace("\x00", "") for name in ("folder", "q")}
    folder, archived = asked["folder"].strip("/"), request.GET.get("archived") == "1"
    now = timezone.now()
    shown = listing(request.project, folder=folder, text=asked["q"], archived=archived, at=now)
    context = {
        "listing": shown,
        "folder": folder,
        "above": folder.rpartition("/")[0],
        "query": asked["q"],
        "archived": archived,
        "tab": "archive" if archived else "registry",
        "deleted": deleted_prompts(request.project) if archived else [],
    }
    return render(request, "prompts/list.html", context)


@require_safe
@project_page(Role.VIEWER)
def prompt_page(request: ProjectRequest, name: str) -> HttpResponse:
    """One prompt: labels, versions, one of them whole, history."""
    prompt = prompt_of(request, name)
    number, top = (number_in(request.GET.get(one, "")) for one in ("version", "from"))
    try:
        reading = PromptReading(prompt, number=number, at=timezone.now(), top=top)
    except NotFound as problem:
        raise Http404 from problem
    content = reading.content
    context = {"prompt": prompt, "reading": reading, "content": content}
    return render(request, "prompts/prompt.html", context | _fetching(request, prompt, content))


@require_safe
@project_page(Role.VIEWER)
def diff(request: ProjectRequest, name: str) -> HttpResponse:
    """What changed from one version to another; the newest two unless told."""
    prompt = prompt_of(request, name)
    newest = prompt.versions_made
    ends = [number_in(request.GET.get(end, "")) for end in ("from", "to")]
    new = ends[1] or newest
    old = ends[0] or max(1, new - 1)
    try:
        before, after = version_of(prompt, old), version_of(prompt, new)
    except NotFound as problem:
        raise Http404 from problem
    context = {
        "prompt": prompt,
        "before": before,
        "after": after,
        "numbers": range(newest, 0, -1),
        "changes": _changes(before, after),
    }
    return render(request, "prompts/diff.html", context)


def _changes(before: PromptVersion, after: PromptVersion) -> list[dict[str, Any]]:
    old, new = content_of(before), content_of(after)
    return [
        {
            "part": one.part.replace("_", " "),
            "pieces": word_diff(as_text(getattr(old, one.part)), as_text(getattr(new, one.part))),
        }
        for one in differences(old, new)
    ]


def _fetching(request: ProjectRequest, prompt: Prompt, content: Content) -> dict[str, str]:
    """How an app gets it: by the SDK, and by HTTP."""
    what = "text" if prompt.kind == Prompt.Kind.TEXT else "messages"
    given = ", ".join(f"{one['name']}={one['name']}" for one in content.variables)
    sdk = f'prompt = stillhouse.get_prompt("{prompt.name}")\n{what} = prompt.compile({given})'
    address = f"{request.scheme}://{request.get_host()}/api/v1/prompts/{prompt.name}"
    curl = f'curl "{address}?label=production" \\\n  -H "Authorization: Bearer $STILLHOUSE_API_KEY"'
    return {"sdk": sdk, "curl": curl}
