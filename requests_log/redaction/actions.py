"""What people do with a redaction policy: save a version of it, switch it on and off."""

from __future__ import annotations

from datetime import datetime

import msgspec
from django.db import transaction

from requests_log.redaction import policies
from requests_log.redaction.models import PolicyVersion
from requests_log.redaction.rules import Rules, read_rules
from workbench.core.errors import InvalidInput
from workbench.core.models import Project, User

LONGEST_NOTE = 300
MOST_VERSIONS = 2**15 - 1
"""The number is stored with every call, in two bytes."""


def save_policy(
    project: Project,
    *,
    document: object,
    enabled: bool,
    note: str,
    by: User | None,
    at: datetime,
) -> PolicyVersion:
    """Make a version, which is in force from now on; every process knows within five seconds.

    Saving what is in force already, without a note, makes no new version.

    Raises:
        InvalidInput: a rule will not do; the sentence says which and why.
    """
    rules = read_rules(document)
    note = " ".join(note.split())
    if len(note) > LONGEST_NOTE or not note.isprintable():
        raise InvalidInput(f"The note may have up to {LONGEST_NOTE} characters on one line.")
    kept = to_document(rules)
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)
        last = current_version(project)
        if last and not note and (last.document, last.enabled) == (kept, enabled):
            return last
        number = last.number + 1 if last else 1
        if number > MOST_VERSIONS:
            raise InvalidInput("This project has used up its version numbers. Make a new project.")
        made = PolicyVersion.objects.create(
            project=project,
            number=number,
            enabled=enabled,
            document=kept,
            note=note,
            author=by,
            created_at=at,
        )
        transaction.on_commit(policies.forget)
    return made


def current_version(project: Project) -> PolicyVersion | None:
    """The newest version, which is in force if it is enabled."""
    return PolicyVersion.objects.in_project(project).newest_first().first()


def to_document(rules: Rules) -> dict[str, object]:
    """The rules as they are kept and as the API gives them."""
    document: dict[str, object] = msgspec.to_builtins(rules)
    return document
