"""A prompt from its first version to production and back, in a browser."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from prompts.models import LabelTarget
from tests.conftest import Cast
from tests.curate.test_browser import (  # noqa: F401 - fixtures
    no_kept_connections,
    page,
    pytestmark,
    read,
)

READY = "() => window.htmx && document.readyState === 'complete'"


def test_a_prompt_is_written_changed_compared_promoted_and_rolled_back(
    page: Page,  # noqa: F811
    cast: Cast,
) -> None:
    page.goto(page.url.split("/log/")[0] + "/prompts/new/")
    page.locator("#prompt-name").fill("support/triage")
    page.locator("#content-1").fill("Be kind to {{customer}}.")
    page.get_by_role("button", name="Save the prompt").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("triage")

    page.wait_for_function(READY)
    page.keyboard.press("e")
    expect(page.locator("#content-1")).to_have_value("Be kind to {{customer}}.")
    page.locator("#content-1").fill("Be brief with {{customer}}.")
    page.locator("#prompt-message").fill("Shorter")
    page.get_by_role("button", name="Save the version").click()

    page.get_by_role("link", name="What changed").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("From version 1 to 2")
    expect(page.locator("main del").first).to_have_text("kind")
    expect(page.locator("main ins").first).to_have_text("brief")
    page.go_back()

    assert move(page, cast, version="1") == 1
    assert move(page, cast, version="2") == 2
    page.once("dialog", lambda asked: asked.accept())
    with page.expect_navigation():
        page.get_by_role("button", name=re.compile("Roll back")).first.click()
    assert in_production(cast) == 1


def move(page: Page, cast: Cast, *, version: str) -> int:  # noqa: F811
    """Move `production` by the dialog; the version that apps get then."""
    page.wait_for_function(READY)
    page.keyboard.press("m")
    dialog = page.locator("#move")
    dialog.locator("[name=label]").fill("production")
    dialog.locator("#move-version").select_option(version)
    with page.expect_navigation():
        dialog.get_by_role("button", name=re.compile("^Move")).click()
    return in_production(cast)


def in_production(cast: Cast) -> int:
    targets = LabelTarget.objects.filter(
        label__prompt__project=cast.project, label__name="production"
    )
    return int(read(lambda: targets.get().version.number))
