"""The keyboard, the selection, the palette and the charts, in a real browser under our policy."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browsers import PATIENCE
from tests.ui.pages import served

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs the browser Chromium on the path"),
]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served() as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """The pattern page; whatever the browser complains about fails the test."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme="light")
    opened = context.new_page()
    opened.set_default_timeout(PATIENCE)
    complaints: list[str] = []
    opened.on(
        "console", lambda said: complaints.append(said.text) if said.type == "error" else None
    )
    opened.on("pageerror", lambda problem: complaints.append(str(problem)))
    opened.goto(f"{address}/patterns/")
    opened.wait_for_function("window.htmx && document.querySelector('[data-row][tabindex=\"0\"]')")
    yield opened
    context.close()
    assert complaints == []


def test_charts_are_drawn_under_the_policy_and_follow_the_theme(page: Page, address: str) -> None:
    page.goto(f"{address}/charts/")
    line = page.locator("#example-loss .scatterlayer path.js-line").first
    expect(line).to_be_attached()
    light = line.evaluate("path => getComputedStyle(path).stroke")

    page.keyboard.press("l")

    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.wait_for_function(
        "light => getComputedStyle(document.querySelector('#example-loss path.js-line')).stroke"
        " !== light",
        arg=light,
    )
    assert "theme=dark" in page.evaluate("document.cookie")


def test_rows_are_walked_opened_and_closed_with_keys(page: Page) -> None:
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator("[data-row]").nth(1)).to_be_focused()

    page.keyboard.press("Enter")
    expect(page.locator("#inspector h2")).to_have_text("Request")

    page.keyboard.press("Escape")
    expect(page.locator("#inspector")).to_be_hidden()
    expect(page.locator("[data-row]").nth(1)).to_be_focused()


def test_a_part_of_the_page_that_was_replaced_works_at_once(page: Page) -> None:
    page.evaluate(
        """() => {
          const button = '<button hx-get="/fragment/" hx-target="#inspector">Open</button>';
          const swap = {swapStyle: "innerHTML", swapDelay: 0};
          htmx.swap("#inspector", button, {...swap, settleDelay: htmx.config.defaultSettleDelay});
          document.querySelector("#inspector button").click();
        }"""
    )

    expect(page.locator("#inspector h2")).to_have_text("Request")


def test_rows_are_one_tab_stop(page: Page) -> None:
    page.keyboard.press("j")
    page.keyboard.press("k")

    assert page.locator("[data-row][tabindex='0']").count() == 1


def test_a_range_is_selected_and_the_form_carries_its_ids(page: Page) -> None:
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Shift+X")

    expect(page.locator("[data-selection-count]")).to_have_text("3 selected")
    assert _fields(page) == [["ids", "1"], ["ids", "2"], ["ids", "3"]]
    expect(page.locator("#announcer")).to_have_text("3 selected")


def test_all_that_match_but_one_are_selected(page: Page) -> None:
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("*")
    page.keyboard.press("a")
    expect(page.locator("[data-selection-count]")).to_have_text("124,225 selected")

    page.keyboard.press("x")

    expect(page.locator("[data-selection-count]")).to_have_text("124,224 selected")
    assert _fields(page) == [["all", "1"], ["except", "1"]]


def test_escape_clears_the_selection(page: Page) -> None:
    page.keyboard.press("j")
    page.keyboard.press("x")

    page.keyboard.press("Escape")

    expect(page.locator("[data-selection-bar]")).to_be_hidden()


def test_a_key_presses_its_button(page: Page) -> None:
    page.keyboard.press("n")

    expect(page.locator("#example-dialog")).to_be_visible()


def test_keys_are_silent_while_somebody_types_or_a_dialog_is_open(page: Page) -> None:
    page.keyboard.press("/")
    page.keyboard.type("njx?")
    expect(page.locator("dialog[open]")).to_have_count(0)
    page.keyboard.press("Escape")

    page.keyboard.press("n")
    page.keyboard.press("j")
    expect(page.locator("[data-row].is-current")).to_have_count(0)


def test_help_lists_what_is_on_the_page(page: Page) -> None:
    page.keyboard.press("?")

    expect(page.locator("#help")).to_contain_text("Open a dialog")
    expect(page.locator("#help")).to_contain_text("Next row")


def test_a_chord_goes_to_its_place(page: Page) -> None:
    page.keyboard.press("g")
    page.keyboard.press("s")

    page.wait_for_url("**/p/acme/settings/")


def test_the_palette_finds_and_presses_a_button_by_name(page: Page) -> None:
    page.keyboard.press("Control+k")
    page.keyboard.type("opn dia")
    page.keyboard.press("Enter")

    expect(page.locator("#example-dialog")).to_be_visible()


def test_the_palette_goes_where_the_page_itself_does_not(page: Page) -> None:
    page.keyboard.press("Control+k")
    expect(page.locator("#palette")).to_contain_text("Unhappy people")
    page.keyboard.type("unhap")
    expect(page.get_by_role("option").last).to_contain_text("Search the log: unhap")
    page.keyboard.press("Enter")

    page.wait_for_url("**/fragment/")


def test_a_form_pressed_twice_is_sent_once(page: Page) -> None:
    sent = page.evaluate(
        """() => {
          document.body.insertAdjacentHTML("beforeend", '<form method="post" id="twice"></form>');
          let sent = 0;
          addEventListener("submit", (event) => {
            sent += event.defaultPrevented ? 0 : 1;
            event.preventDefault();
          });
          const form = document.getElementById("twice");
          form.requestSubmit();
          form.requestSubmit();
          return sent;
        }"""
    )

    assert sent == 1


def test_a_toast_is_shown_as_text(page: Page) -> None:
    page.evaluate(
        "document.body.dispatchEvent(new CustomEvent('toast', "
        "{detail: {level: 'error', text: '<i>Frozen.</i>'}}))"
    )

    expect(page.locator("#toasts [role=alert] .toast__text")).to_have_text("<i>Frozen.</i>")


def test_nothing_is_wider_than_a_phone(browser: Browser, address: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844})
    narrow = context.new_page()
    narrow.set_default_timeout(PATIENCE)
    narrow.goto(f"{address}/charts/")
    expect(narrow.locator(".js-plotly-plot .main-svg").first).to_be_attached()

    wider = narrow.evaluate("document.documentElement.scrollWidth - innerWidth")

    context.close()
    assert wider <= 0


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_stands_out_from_what_lies_behind_it(page: Page, theme: str) -> None:
    """The least contrast is the 4.5 of WCAG 2.2 AA, 1.4.3."""
    page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)

    found = {pair: page.evaluate(CONTRAST, list(pair)) for pair in TEXT_ON}

    assert {pair: ratio for pair, ratio in found.items() if ratio < 4.5} == {}


TEXT_ON = [
    *(
        (text, behind)
        for text in ("ink", "ink-2", "ink-3")
        for behind in ("bg", "surface", "hover")
    ),
    *((state, f"{state}-soft") for state in ("good", "warn", "bad", "live", "accent")),
    ("accent", "bg"),
    ("accent-ink", "accent"),
    ("bad", "surface"),
]
CONTRAST = """([text, behind]) => {
  const pen = document.createElement("canvas").getContext("2d");
  const light = (token) => {
    const probe = document.body.appendChild(document.createElement("span"));
    probe.style.color = `var(--${token})`;
    pen.fillStyle = getComputedStyle(probe).color;
    probe.remove();
    pen.fillRect(0, 0, 1, 1);
    const parts = [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3).map((part) => part / 255);
    const linear = parts.map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const [low, high] = [light(text), light(behind)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}"""


def _fields(page: Page) -> list[list[str]]:
    found: list[list[str]] = page.evaluate(
        "[...document.querySelectorAll('[data-selection-fields] input')]"
        ".map((field) => [field.name, field.value])"
    )
    return found
