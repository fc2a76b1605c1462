"""What lies where in a real browser: nothing under the inspector, nothing out of its frame."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from requests_log.datasets.actions import freeze_version
from tests.conftest import Cast
from tests.curate.factories import NOON, make_dataset
from tests.curate.test_browser import no_kept_connections as no_kept_connections
from tests.curate.test_browser import page as page
from tests.curate.test_browser import pytestmark as pytestmark
from tests.curate.test_browser import read, ready

OUT_OF_THEIR_FRAMES = """() => [...document.querySelectorAll('.table-frame')]
    .filter(frame => frame.firstElementChild.getBoundingClientRect().right
        > frame.getBoundingClientRect().right + 1).length"""
RIGHT = "element => element.getBoundingClientRect().right"
LEFT = "element => element.getBoundingClientRect().left"


def test_nothing_of_the_list_lies_under_the_inspector(page: Page) -> None:
    expect(page.locator(".timeline .js-plotly-plot")).to_be_visible()
    for key in ("j", "Enter"):
        page.keyboard.press(key)
    inspector = page.locator("#inspector")
    expect(inspector.locator(".transcript")).to_be_visible()
    edge = inspector.evaluate(LEFT)

    for part in (".query-bar .button", ".timeline", ".table"):
        assert page.locator(part).first.evaluate(RIGHT) <= edge, part
    assert page.evaluate(OUT_OF_THEIR_FRAMES) == 0


@pytest.mark.parametrize("width", [1440, 1280, 1200, 1024, 390])
def test_the_versions_stay_within_their_frame(page: Page, cast: Cast, width: int) -> None:
    def freeze() -> str:
        dataset = make_dataset(cast.project, rows=8)
        freeze_version(dataset, by=cast.alice, at=NOON, split=(50, 50), notes="before the rush")
        return dataset.slug

    slug = read(freeze)
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(page.url.split("/log/")[0] + f"/datasets/{slug}/versions/")
    ready(page, "**/versions/")

    assert page.evaluate(OUT_OF_THEIR_FRAMES) == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_an_editor_is_as_tall_as_its_text(page: Page) -> None:
    for key in ("j", "Enter"):
        page.keyboard.press(key)
    expect(page.locator("#inspector .transcript")).to_be_visible()
    page.keyboard.press("e")
    ready(page, "**/correct/")
    editor = page.locator("#answer")

    editor.fill("\n".join(f"line {number}" for number in range(12)))

    assert editor.evaluate("element => element.scrollHeight - element.clientHeight") <= 1


def test_an_editor_drawn_taller_by_hand_breaks_no_policy_at_the_next_item(page: Page) -> None:
    complaints: list[str] = []
    page.on("console", lambda told: complaints.append(told.text) if told.type == "error" else None)
    for key in ("j", "x", "*", "a", "q"):
        page.keyboard.press(key)
    expect(page.locator("#toasts")).to_contain_text("12 changed")
    page.goto(page.url.split("/log/")[0] + "/queue/")
    asked = page.locator("#review-item .transcript")
    expect(asked).to_contain_text("Question 0?")
    page.keyboard.press("s")
    expect(page.locator(".progress")).to_contain_text("0 of 11")
    page.locator("#review-answer").evaluate("element => { element.style.height = '300px' }")

    page.keyboard.press("u")
    expect(asked).to_contain_text("Question 0?")

    assert complaints == []


def test_what_a_query_may_hold_can_be_read_on_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(page.url.split("?")[0] + "?q=modle%3Ax")
    ready(page, "**/log/?q=*")

    said = page.locator(".facts dd").first

    assert said.evaluate("element => element.getBoundingClientRect().width") > 100
