"""Finding what an address of a page names."""

from __future__ import annotations

from django.http import Http404, HttpResponse
from django.shortcuts import redirect

from prompts.models import Prompt
from prompts.resolving import find_prompt
from workbench.core.access import ProjectRequest
from workbench.core.errors import NotFound


def prompt_of(request: ProjectRequest, name: str) -> Prompt:
    """The prompt, or 404."""
    try:
        return find_prompt(request.project, name)
    except NotFound as problem:
        raise Http404 from problem


def to_prompt(prompt: Prompt, *, number: int | None = None) -> HttpResponse:
    """To its page."""
    answer = redirect("prompts:prompt", project=prompt.project.slug, name=prompt.name)
    if number is not None:
        answer.headers["Location"] += f"?version={number}"
    return answer


def number_in(text: str) -> int | None:
    """A version number somebody asked for; none for anything else."""
    return int(text) if text.isascii() and text.isdigit() and 0 < len(text) < 10 else None
