"""The page that fills a version's variables in: what an app would send, without a call."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from prompts.content import PLACEHOLDER, Content, content_of
from prompts.models import Prompt
from prompts.pages.finding import number_in, prompt_of
from prompts.resolving import compiled, expanded, version_of
from workbench.core.access import ProjectRequest, project_page
from workbench.core.errors import DomainError, InvalidInput, NotFound
from workbench.core.models import Role

NO_TEXT = ("list", "object", "number", "boolean")
"""Types of variables whose value is written as JSON."""
MOST_CHARACTERS = 100_000
"""Of one value."""


@dataclass(frozen=True)
class Field:
    """A variable with what stands in its field."""

    name: str
    text: str
    help: str
    is_json: bool
    is_open: bool = False
    """Nobody has put anything in yet: its place in the template stays to be seen."""

    @property
    def value(self) -> Any:
        """What is put in.

        Raises:
            InvalidInput: it is not JSON, or too long.
        """
        if len(self.text) > MOST_CHARACTERS:
            raise InvalidInput(f"{self.name}: put in at most {MOST_CHARACTERS:,} characters.")
        if not self.is_json:
            return f"{{{{{self.name}}}}}" if self.is_open else self.text
        try:
            return json.loads(self.text or "null")
        except (ValueError, RecursionError) as problem:
            raise InvalidInput(f"{self.name} is not JSON: {problem}.") from problem


@require_http_methods(["GET", "POST"])
@project_page(Role.VIEWER)
def try_it(request: ProjectRequest, name: str) -> HttpResponse:
    """The version with values in its variables; at first those of its examples."""
    prompt = prompt_of(request, name)
    number = number_in(request.GET.get("version", "")) or prompt.versions_made
    try:
        version = version_of(prompt, number)
    except NotFound as problem:
        raise Http404 from problem
    context: dict[str, Any] = {"prompt": prompt, "version": version}
    try:
        content = expanded(prompt, content_of(version))
        context["fields"] = _fields(content, request.POST or None)
        context["filled"] = _filled(prompt, content, context["fields"])
    except DomainError as problem:
        context["problem"] = problem.sentence
    status = 422 if "problem" in context and request.method == "POST" else 200
    return render(request, "prompts/try.html", context, status=status)


def _fields(content: Content, sent: Any) -> list[Field]:
    lists = {one["name"] for one in content.messages if one.get("type") == PLACEHOLDER}
    return [_field(one, sent, is_list=one["name"] in lists) for one in content.variables]


def _field(variable: dict[str, Any], sent: Any, *, is_list: bool) -> Field:
    name, example = str(variable["name"]), variable.get("example")
    is_json = is_list or str(variable.get("type", "")) in NO_TEXT
    if sent is not None:
        text = str(sent.get(f"v.{name}", "")).replace("\r\n", "\n")
    elif example is None:
        text = "[]" if is_list else "null" if is_json else ""
    else:
        as_is = isinstance(example, str) and not is_json
        text = str(example) if as_is else json.dumps(example, ensure_ascii=False, indent=2)
    about = "A list of messages, as JSON." if is_list else "As JSON." if is_json else ""
    told = " ".join(filter(None, (variable.get("description"), about)))
    return Field(name, text, told, is_json, is_open=sent is None and not text)


def _filled(prompt: Prompt, content: Content, fields: list[Field]) -> list[dict[str, Any]]:
    """Messages, as a conversation shows them; a text counts as one of the user."""
    done = compiled(content, {field.name: field.value for field in fields})
    return [{"role": "text", "content": done}] if isinstance(done, str) else done
