"""Working through the review queue with single keys, in a real browser."""

from __future__ import annotations

from playwright.sync_api import Page, Route, expect

from requests_log.models import Correction
from requests_log.review.models import Step
from tests.curate.test_browser import no_kept_connections as no_kept_connections
from tests.curate.test_browser import page as page
from tests.curate.test_browser import pytestmark as pytestmark
from tests.curate.test_browser import read


def test_a_queue_is_worked_through_by_single_keys(page: Page) -> None:
    for key in ("j", "x", "*", "a", "q"):
        page.keyboard.press(key)
    expect(page.locator("#toasts")).to_contain_text("12 changed")
    page.goto(page.url.split("/log/")[0] + "/queue/")
    asked = page.locator("#review-item .transcript")
    expect(asked).to_contain_text("Question 0?")

    page.keyboard.press("a")
    expect(asked).to_contain_text("Question 1?")
    page.keyboard.press("e")
    page.keyboard.type("five or ")
    expect(page.locator("#review-change ins")).to_contain_text("five or")
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    expect(page.locator(".progress")).to_contain_text("2 of 12")
    expect(asked).to_contain_text("Question 2?")
    page.keyboard.press("2")
    expect(page.locator(".progress")).to_contain_text("3 of 12")
    page.keyboard.press("r")
    page.keyboard.type("not in our voice")
    page.keyboard.press("Enter")
    expect(page.locator(".progress")).to_contain_text("4 of 12")
    page.keyboard.press("s")
    expect(page.locator(".progress")).to_contain_text("4 of 11")
    page.keyboard.press("u")
    expect(asked).to_contain_text("Question 4?")
    expect(page.locator("#review")).to_contain_text("Undone: skipped.")

    notes = ["", "", "Incomplete", "not in our voice", ""]
    verdicts = ["accepted", "edited", "rejected", "rejected", "skipped"]
    steps = list(zip(verdicts, notes, strict=True))
    assert read(lambda: list(Step.objects.order_by("pk").values_list("verdict", "note"))) == steps


def test_what_was_typed_stays_when_a_verdict_is_refused(page: Page) -> None:
    for key in ("j", "x", "q"):
        page.keyboard.press(key)
    expect(page.locator("#toasts")).to_contain_text("1 changed")
    page.goto(page.url.split("/log/")[0] + "/queue/")
    expect(page.locator("#review-item .transcript")).to_contain_text("Question 11?")
    page.keyboard.press("?")
    editor = page.locator(".help__line").filter(has=page.get_by_text("E", exact=True)).first
    expect(editor).to_have_text("AnswerE")  # and not what stands in it
    page.keyboard.press("Escape")
    page.locator("#review-answer").fill("mine")
    page.keyboard.press("Escape")
    page.keyboard.press("r")
    page.keyboard.press("Enter")

    expect(page.locator("#toasts")).to_contain_text("Say why")
    expect(page.locator("#review-answer")).to_have_value("mine")
    expect(page.locator("#review-answer")).to_be_editable()


def test_whoever_is_faster_than_the_server_loses_neither_verdicts_nor_words(page: Page) -> None:
    for key in ("j", "x", "*", "a", "q"):
        page.keyboard.press(key)
    expect(page.locator("#toasts")).to_contain_text("12 changed")
    page.goto(page.url.split("/log/")[0] + "/queue/")
    asked = page.locator("#review-item .transcript")
    expect(asked).to_contain_text("Question 0?")
    page.route("**/queue/*/*/", _slowly)

    page.keyboard.press("a")
    expect(asked).to_contain_text("Question 1?")
    page.keyboard.press("e")
    page.keyboard.press("Control+End")
    page.keyboard.type(", and no more")
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    expect(asked).to_contain_text("Question 2?")
    page.keyboard.press("r")
    page.keyboard.type("a bad habit")
    page.keyboard.press("Enter")
    expect(asked).to_contain_text("Question 3?")
    page.keyboard.press("s")
    expect(page.locator(".progress")).to_contain_text("3 of 11")

    steps = [("accepted", ""), ("edited", ""), ("rejected", "a bad habit"), ("skipped", "")]
    assert read(lambda: list(Step.objects.order_by("pk").values_list("verdict", "note"))) == steps
    answer = {"role": "assistant", "content": "4, and no more"}
    assert read(lambda: Correction.objects.get().answer) == answer


def _slowly(route: Route) -> None:
    """The server takes its time, so that the keys are faster."""
    route.request.frame.page.wait_for_timeout(700)
    route.continue_()
