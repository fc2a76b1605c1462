"""A prompt of the registry as the prompt that asks for pairs."""

from __future__ import annotations

from evals.documents.asking import Prompt, checked_prompt
from prompts.content import Content
from prompts.models import PromptVersion
from prompts.resolving import fetch
from workbench.core.errors import InvalidInput
from workbench.core.models import Project


def registered(project: Project, ref: str) -> tuple[str, Prompt]:
    """The ref with its version's number, and what it says.

    Raises:
        NotFound: there is no such prompt.
        InvalidInput: it is no system message and one question with {{chunk}}.
    """
    found = fetch(project, ref)
    system, user = _parts(found.content)
    return f"{found.prompt}:{found.version.number}", checked_prompt(system, user)


def _parts(content: Content) -> tuple[str, str]:
    if content.syntax != PromptVersion.Syntax.MUSTACHE:
        raise InvalidInput(
            "Pairs are asked for with {{variables}}; this prompt is written in Jinja."
        )
    if isinstance(content.body, str):
        return "", content.body
    roles = [message.get("role") for message in content.messages]
    texts = [message.get("content") for message in content.messages]
    known = roles in (["user"], ["system", "user"], ["developer", "user"])
    if not known or not all(isinstance(text, str) for text in texts):
        raise InvalidInput(
            "Pairs are asked for by one message of the user, and perhaps one of the system before "
            "it. This prompt has others."
        )
    return ("" if len(texts) == 1 else str(texts[0])), str(texts[-1])
