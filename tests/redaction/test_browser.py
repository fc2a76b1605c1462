"""Trying and saving a policy in a real browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connections
from django.test import Client
from playwright.sync_api import Page, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from tests.browsers import PATIENCE
from tests.conftest import Cast
from workbench.core.models import Project, User

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs the browser Chromium on the path"),
]
SAMPLE = (
    '{"messages": [{"role": "user", "content": "I am ann@x.example, card 4111 1111 1111 1111, '
    'order ORD-123456, call +44 20 7946 0958"}]}'
)


@pytest.fixture
def page(
    monkeypatch: pytest.MonkeyPatch,
    transactional_db: None,
    live_server: LiveServer,
    cast: Cast,
    alice: Client,
) -> Iterator[Page]:
    """Alice's browser; whatever it complains about fails the test."""
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", 0)
    name = settings.SESSION_COOKIE_NAME
    cookie = {"name": name, "value": alice.cookies[name].value, "url": str(live_server)}
    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        context.add_cookies([cookie])  # type: ignore[list-item]
        opened = context.new_page()
        opened.set_default_timeout(PATIENCE)
        opened.on("pageerror", lambda problem: complaints.append(str(problem)))
        opened.goto(f"{live_server}/p/{cast.project.slug}/settings/redaction/")
        opened.wait_for_function("window.htmx")
        yield opened
        browser.close()
    Project.objects.all().delete()
    User.objects.all().delete()
    assert complaints == []


def test_rules_are_tried_as_they_stand_and_saved(page: Page) -> None:
    page.locator("[name=pattern_name]").first.fill("Order number")
    page.locator("[name=pattern]").first.fill(r"\bORD-\d{6}\b")
    page.locator("#detector-phone").uncheck()
    page.locator("#sample").fill(SAMPLE)

    page.get_by_role("button", name="Try the sample").click()

    expect(page.locator("#preview")).to_contain_text("3 finds.")
    expect(page.locator("#preview ins").last).to_have_text("[ORDER_NUMBER]")
    expect(page.locator("#preview pre").last).to_contain_text("+44 20 7946 0958")
    _picture(page, "tried")
    page.locator("#note").fill("No order numbers")
    page.get_by_role("button", name="Save a version").first.click()
    expect(page.locator("main")).to_contain_text("Version 1 is in force.")
    expect(page.locator("#detector-phone")).not_to_be_checked()
    _picture(page, "saved")


def _picture(page: Page, name: str) -> None:
    folder = os.environ.get("SHOTS")
    if not folder:
        return
    for width in (1440, 390):
        for scheme in ("light", "dark"):
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=scheme)
            page.screenshot(path=Path(folder) / f"{name}-{width}-{scheme}.png", full_page=True)
    page.set_viewport_size({"width": 1440, "height": 900})
