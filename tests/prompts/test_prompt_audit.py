"""Who did what to a prompt, beside saving versions and moving labels."""

from __future__ import annotations

from typing import Any

from django.test import Client

from prompts import actions
from prompts.models import Prompt, PromptEvent
from tests.conftest import Cast
from tests.prompts.factories import NOON, make_prompt, point
from workbench.core.models import Role


def told(cast: Cast) -> list[tuple[str, str, Any]]:
    """The events of the project, oldest first."""
    rows = PromptEvent.objects.filter(project=cast.project).order_by("pk")
    return list(rows.values_list("kind", "label", "by__name"))


def test_whoever_protects_archives_or_deletes_is_written_down_once(cast: Cast) -> None:
    prompt = make_prompt(cast.project)
    point(prompt, "production", 1)
    owner: dict[str, Any] = {"by": cast.alice, "at": NOON, "role": Role.OWNER}
    bob: dict[str, Any] = {"by": cast.bob, "at": NOON}

    for protected in (True, True, False):
        actions.protect_label(prompt, label="production", protected=protected, **owner)
    for _ in range(2):
        actions.archive(prompt, **bob)
    for _ in range(2):
        actions.unarchive(prompt, **bob)
        actions.describe(prompt, description="Sorts letters", **bob)
    actions.remove_label(prompt, label="production", **owner)
    actions.delete_prompt(prompt, **bob)

    assert not Prompt.objects.exists()
    assert told(cast) == [
        ("protected", "production", "Alice"),
        ("unprotected", "production", "Alice"),
        ("archived", "", "Bob"),
        ("unarchived", "", "Bob"),
        ("described", "", "Bob"),
        ("deleted", "", "Bob"),
    ]


def test_the_page_and_the_archive_tell_who_it_was(alice: Client, cast: Cast) -> None:
    home = f"/p/{cast.project.slug}/prompts/"
    make_prompt(cast.project, "support/old")
    make_prompt(cast.project, "support/new")

    alice.post(f"{home}put-away/support/new/", {"do": "archive"})
    alice.post(f"{home}put-away/support/old/", {"do": "delete"})
    history = alice.get(f"{home}at/support/new/").content.decode().partition('id="history"')[2]
    archive = alice.get(home, {"archived": 1}).content.decode().partition("Deleted")[2]

    assert "Archived" in history
    assert "Alice" in history
    assert "support/old" in archive
    assert "Alice" in archive


def test_a_program_is_told_apart_from_people(api: Client, cast: Cast) -> None:
    make_prompt(cast.project, "a")

    answer = api.delete("/api/v1/prompts/a")

    assert answer.status_code == 204
    assert told(cast) == [("deleted", "", None)]


def test_events_go_with_their_project(cast: Cast) -> None:
    actions.delete_prompt(make_prompt(cast.project), by=cast.alice, at=NOON)

    cast.project.delete()

    assert not PromptEvent.objects.exists()
