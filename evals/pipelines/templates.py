"""Messages made of a row: from the prompt registry, from a template, or the row's own."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from evals.pipelines.steps.base import BadStep, CellFailed, Message
from prompts.content import PLACEHOLDER, Content, checked, needed_variables
from prompts.resolving import compiled, fetch
from workbench.core.errors import DomainError
from workbench.core.models import Project

MESSAGES = "messages"
JINJA = "jinja"
# Keys of our own in a stored message, which a provider might refuse.
OURS = frozenset({"weight", "reasoning_content"})


def content_from(
    project: Project, *, prompt: str, template: object, pinned: Mapping[str, Any] | None, key: str
) -> tuple[str, Content | None]:
    """The ref with its version's number, and what it says; None where rows bring messages.

    Raises:
        InvalidInput, NotFound: there is no such prompt, or the template cannot be read.
    """
    if pinned:
        content = pinned.get("content")
        return pinned.get("ref", ""), Content(**content) if content else None
    if prompt and template:
        raise BadStep("Give either a prompt of the registry or a template, not both.")
    if prompt:
        found = fetch(project, prompt, key=key)
        return f"{found.prompt}:{found.version.number}", found.content
    if template:
        return "", checked({"body": template})
    return "", None


def as_pinned(ref: str, content: Content | None) -> dict[str, Any]:
    return {"ref": ref, "content": asdict(content) if content else None}


def needs_of(content: Content | None) -> frozenset[str]:
    """The variables that messages are made of."""
    if content is None:
        return frozenset({MESSAGES})
    placeholders = [one["name"] for one in content.messages if one.get("type") == PLACEHOLDER]
    return frozenset([*needed_variables(content), *placeholders])


async def messages_for(content: Content | None, variables: Mapping[str, Any]) -> list[Message]:
    """The messages to send; Jinja runs in a process of its own, which is waited for in a thread.

    Raises:
        CellFailed: a variable is missing in this row, or the template fails with it.
    """
    if content is not None and content.syntax == JINJA:
        return await asyncio.to_thread(render, content, variables)
    return render(content, variables)


def render(content: Content | None, variables: Mapping[str, Any]) -> list[Message]:
    """As `messages_for`, at once."""
    if content is None:
        return asked_in(variables)
    try:
        made = compiled(content, {**variables, **_asked(variables)})
    except DomainError as problem:
        raise CellFailed(problem.code, problem.sentence) from problem
    return [{"role": "user", "content": made}] if isinstance(made, str) else made


def asked_in(variables: Mapping[str, Any]) -> list[Message]:
    """The row's conversation up to the answer.

    Raises:
        CellFailed: the row has no messages.
    """
    messages = variables.get(MESSAGES)
    if not isinstance(messages, list) or not messages:
        raise CellFailed("missing_variables", "This row has no messages. Write a template.")
    return [{k: v for k, v in message.items() if k not in OURS} for message in messages]


def _asked(variables: Mapping[str, Any]) -> dict[str, Any]:
    return {MESSAGES: asked_in(variables)} if variables.get(MESSAGES) else {}
