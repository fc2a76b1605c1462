"""Prompts with valid defaults."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from prompts.actions import Saved, create_prompt, move_label, save_version
from prompts.models import Prompt, PromptLabel
from workbench.core.models import Project, Role

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
CHAT: list[dict[str, Any]] = [
    {"role": "system", "content": "You answer {{product}} customers."},
    {"type": "messages", "name": "history"},
    {"role": "user", "content": "{{question}}"},
]


def make_prompt(
    project: Project, name: str = "support/triage", body: Any = "Sort {{ticket}}.", **fields: Any
) -> Prompt:
    about = {key: fields.pop(key) for key in ("description", "tags", "message") if key in fields}
    content = {"body": body, **fields}
    saved = create_prompt(project, name=name, content=content, by=None, at=NOON, **about)
    return saved.version.prompt


def make_version(prompt: Prompt, body: Any, **fields: Any) -> Saved:
    return save_version(prompt, content={"body": body, **fields}, by=None, at=NOON)


def point(prompt: Prompt, label: str, version: int, role: Role = Role.OWNER) -> PromptLabel:
    return move_label(prompt, label=label, version=version, by=None, at=NOON, role=role)
