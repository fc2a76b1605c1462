"""What was typed survives a refusal; the address, two tabs and the way back agree, in a browser."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from requests_log.models import LoggedRequest
from tests.conftest import Cast
from tests.curate.test_browser import (  # noqa: F401 - fixtures
    no_kept_connections,
    page,
    pytestmark,
    read,
)


def test_a_dialog_that_was_refused_opens_again_as_it_was_sent(page: Page) -> None:  # noqa: F811
    page.goto(page.url.split("/log/")[0] + "/settings/")
    page.get_by_role("button", name="Add a member").click()
    dialog = page.locator("#new-member")
    dialog.locator("[name=email]").fill("nobody@example.com")
    dialog.locator("[name=role]").select_option("owner")

    dialog.get_by_role("button", name="Add", exact=True).click()

    expect(dialog.get_by_role("alert")).to_contain_text("Nobody with the address nobody@example")
    expect(dialog.locator("[name=email]")).to_have_value("nobody@example.com")
    expect(dialog.locator("[name=role]")).to_have_value("owner")
    expect(page.locator("#toasts [role=alert]")).to_have_count(0)

    page.reload()
    expect(dialog).to_be_hidden()


def test_a_refusal_is_told_in_the_dialog_that_stayed_open(page: Page) -> None:  # noqa: F811
    page.goto(page.url.split("/log/")[0] + "/settings/prices/")
    page.get_by_role("button", name="New price").click()
    dialog = page.locator("#new-price")
    fields = {"provider": "openai", "model": "gpt-9", "valid_from": "2026-06-01"}
    for name, value in {**fields, "input": "two", "cached": "0", "output": "3"}.items():
        dialog.locator(f"[name={name}]").fill(value)

    for _ in range(2):
        with page.expect_response(lambda answer: answer.url.endswith("/prices/add/")):
            dialog.get_by_role("button", name="Set the price").click()

    expect(dialog.get_by_role("alert")).to_have_count(1)
    expect(dialog.get_by_role("alert")).to_contain_text("give dollars per million tokens")
    expect(dialog.locator("[name=model]")).to_have_value("gpt-9")


def test_two_tabs_and_the_way_back_show_what_is_there(page: Page, cast: Cast) -> None:  # noqa: F811
    other = page.context.new_page()
    other.goto(page.url)
    other.wait_for_function("window.htmx && document.querySelector('[data-row][tabindex]')")
    for key in ("j", "x", "j", "x", "Enter"):
        page.keyboard.press(key)
    expect(page.locator("#inspector")).to_contain_text("Question 10?")
    assert "open=" in page.url

    page.keyboard.press("Escape")
    expect(page.locator("#inspector")).to_be_hidden()
    assert "open=" not in page.url
    page.goto(page.url.split("/log/")[0] + "/datasets/")
    page.go_back()
    expect(page.locator("[data-row]")).to_have_count(12)
    expect(page.locator("#inspector")).to_be_hidden()

    for key in ("j", "x", "#"):
        other.keyboard.press(key)
    other.keyboard.press("Enter")
    expect(other.locator("#toasts")).to_contain_text("Deleted 1.")
    assert read(LoggedRequest.objects.in_project(cast.project).count) == 11
    page.locator("[data-row] [data-open]").first.press("Enter")
    expect(page.locator("#toasts [role=alert]")).to_contain_text("not there any more")
