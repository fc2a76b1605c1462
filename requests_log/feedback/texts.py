"""Texts that people write about requests: bounded, storable, and redacted like what is logged."""

from __future__ import annotations

import json
import re
from typing import Any

from requests_log.redaction.engine import Withheld, Work, redacted_body, redacted_text
from requests_log.redaction.policies import PolicyUnknown, Unusable, policy_now
from requests_log.redaction.rules import Place, Ruleset
from workbench.core.errors import DomainError, InvalidInput
from workbench.core.models import Project

_unstorable = re.compile("[\x00\ud800-\udfff]")


class NotRedactable(DomainError):
    """The project's redaction policy cannot be applied, so nothing may be stored."""

    code = "not_redactable"


def checked(name: str, text: str, *, most: int, least: int = 1) -> str:
    """The text without blanks around it.

    Raises:
        InvalidInput: it is empty, too long, or holds what a database cannot keep.
    """
    text = text.strip()
    if _unstorable.search(text):
        raise InvalidInput(f"{name}: remove the NUL character or the half of a surrogate pair.")
    if not least <= len(text) <= most:
        wanted = f"{least} to {most:,}" if least else f"at most {most:,}"
        raise InvalidInput(f"{name}: write {wanted} characters; these are {len(text):,}.")
    return text


def redacted_words(project: Project, text: str) -> str:
    """A comment or note as it may be stored.

    Raises:
        NotRedactable: the policy cannot be applied.
    """
    policy = _policy(project)
    if policy is None or Place.COMMENTS not in policy.places:
        return text
    try:
        return redacted_text(text, Work(policy))
    except Withheld as problem:
        raise _refusal() from problem


def redacted_answer(project: Project, answer: dict[str, Any]) -> dict[str, Any]:
    """An answer as it may be stored: what must not be logged must not be typed in either.

    Raises:
        NotRedactable: the policy cannot be applied.
    """
    policy = _policy(project)
    if policy is None or Place.RESPONSE not in policy.places:
        return answer
    try:
        done: dict[str, Any] = json.loads(redacted_body(json.dumps(answer).encode(), Work(policy)))
    except Withheld as problem:
        raise _refusal() from problem
    return done


def _policy(project: Project) -> Ruleset | None:
    try:
        policy = policy_now(project.pk)
    except PolicyUnknown as problem:
        raise _refusal() from problem
    if isinstance(policy, Unusable):
        raise _refusal()
    return policy


def _refusal() -> NotRedactable:
    return NotRedactable(
        "The redaction policy could not be applied to this text, so it was not stored. "
        "Look at the policy under Settings, Redaction, and try again."
    )
