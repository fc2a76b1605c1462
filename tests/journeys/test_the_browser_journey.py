"""A stranger in Chromium: from an empty installation to a frozen version, by mouse and by key."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import openai
import pytest
from playwright.sync_api import Browser, Page, expect

import stillhouse
from tests.browsers import PATIENCE
from tests.clients import opened
from tests.gateway.upstream import Upstream
from tests.journeys.browsing import CHROMIUM, Watch, browser, crawl, settled
from tests.journeys.installation import Installation, wait_until
from tests.journeys.visitor import PASSWORD
from workbench.shell.demo.client import Api

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(CHROMIUM is None, reason="needs the browser Chromium on the path"),
]
THROUGH_GATEWAY, WITH_SDK = 8, 4
PLACES = {
    "h": "",
    "l": "log/",
    "d": "datasets/",
    "p": "prompts/",
    "e": "evals/",
    "t": "tunes/",
    "m": "models/",
    "y": "playground/",
    "s": "settings/",
}


@dataclass
class Stranger:
    """Signed in, with a connection, a key, twelve logged calls and a browser that is watched."""

    url: str
    browser: Browser
    state: Any
    watch: Watch

    @property
    def project(self) -> str:
        return f"{self.url}/p/maps/"

    def open(self, path: str, **options: Any) -> Page:
        context = self.browser.new_context(
            storage_state=self.state, viewport={"width": 1440, "height": 900}, **options
        )
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        self.watch.follow(page)
        page.goto(self.project + path)
        settled(page)
        return page


@pytest.fixture(scope="module")
def stranger(installation: Installation, provider: Upstream) -> Iterator[Stranger]:
    """Set up, make a connection and a key in the browser, then send calls with that key."""
    watch = Watch(installation.url)
    with browser() as chromium:
        page = chromium.new_page()
        page.set_default_timeout(PATIENCE)
        watch.follow(page)
        _set_up(page, installation.url)
        _connect(page, provider.url)
        key = _make_key(page)
        _wait_on_the_log(page, installation.url, key)
        _send_calls(installation.url, provider.url, key)
        api = Api(installation.url, installation.make_key("Maps"))
        wait_until(lambda: _are_all_read(api), what="the calls in the log")
        state = page.context.storage_state()
        yield Stranger(installation.url, chromium, state, watch)


@pytest.fixture
def log(stranger: Stranger) -> Iterator[Page]:
    """The log of the twelve calls, all of them read."""
    page = stranger.open("log/")
    expect(page.locator(".count")).to_contain_text(f"{THROUGH_GATEWAY + WITH_SDK + 1} requests")
    yield page
    page.context.close()


def _set_up(page: Page, url: str) -> None:
    page.goto(url)
    page.get_by_label("E-mail address").fill("ada@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("First project").fill("Maps")
    page.keyboard.press("Enter")
    page.wait_for_url("**/p/maps/")


def _connect(page: Page, provider_url: str) -> None:
    page.goto(page.url + "settings/connections/new/")
    page.get_by_role("link", name="Another provider").click()
    page.get_by_label("Name").fill("acme")
    page.get_by_label("Address").fill(provider_url)
    page.get_by_label("Credential").fill("secret")
    page.get_by_label("Allow the private network").check()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("heading", name="acme")).to_be_visible()
    page.get_by_role("link", name="Connections", exact=True).click()
    expect(page.locator("#content")).to_contain_text("acme")


def _make_key(page: Page) -> str:
    page.get_by_role("link", name="API keys").click()
    settled(page)
    page.get_by_role("button", name="New key").click()
    page.locator("#key-name").fill("maps app")
    page.get_by_role("button", name="Make the key").click()
    text = page.locator("#new-key-text").inner_text()
    page.goto(page.url)
    assert page.locator("#new-key-text").count() == 0
    return text


def _wait_on_the_log(page: Page, url: str, key: str) -> None:
    """The page that waits for the first call shows it without being reloaded."""
    page.goto(f"{url}/p/maps/log/")
    settled(page)
    client = opened(openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=5))
    _ask(client, "acme/gpt-test", "Oslo")
    expect(page.locator("#content")).to_contain_text("What is the capital of Oslo")


def _send_calls(url: str, provider_url: str, key: str) -> None:
    gateway = opened(openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=5))
    for number in range(THROUGH_GATEWAY):
        tags = {"x-stillhouse-tags": json.dumps({"route": "checkout"})}
        _ask(gateway, "acme/gpt-test", f"place {number}", extra_headers=tags)
    with stillhouse.Client(key, url) as sdk:
        wrapped: Any = stillhouse.wrap(
            opened(openai.OpenAI(base_url=provider_url, api_key="x")), client=sdk
        )
        for number in range(WITH_SDK):
            _ask(wrapped, "gpt-test", f"town {number}", stillhouse={"tags": {"route": "search"}})
        assert sdk.flush(60)


def _are_all_read(api: Api) -> bool:
    """Whether every call is in the log with its digest, which comes after its answer."""
    rows = api.get("requests/?limit=100")["requests"]
    return len(rows) == THROUGH_GATEWAY + WITH_SDK + 1 and all(row["digested_at"] for row in rows)


def _ask(client: Any, model: str, place: str, **more: Any) -> None:
    messages = [{"role": "user", "content": f"What is the capital of {place}"}]
    client.chat.completions.create(model=model, messages=messages, **more)


def test_filtered_requests_become_a_frozen_version(stranger: Stranger, log: Page) -> None:
    log.locator("[data-query]").fill("tag.route:checkout")
    log.keyboard.press("Enter")
    expect(log.locator(".count")).to_contain_text(f"{THROUGH_GATEWAY} requests")
    settled(log)
    log.locator("[data-select-page]").check()
    log.get_by_role("button", name="Add to dataset").click()
    log.locator("#pick-name").fill("Checkout questions")
    log.locator("#add-to-dataset").get_by_role("button", name="Add").click()
    expect(log.locator("#toasts")).to_contain_text(f"Added {THROUGH_GATEWAY}")

    log.goto(f"{stranger.project}datasets/checkout-questions/")
    settled(log)
    log.get_by_role("link", name="Freeze a version").click()
    log.get_by_role("button", name="Freeze").click()

    expect(log.locator("#toasts")).to_contain_text("Froze Checkout questions v1")
    assert stranger.watch.heard() == []


@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 390)])
def test_no_page_complains_overflows_or_calls_elsewhere(
    stranger: Stranger, theme: Any, width: int
) -> None:
    context = stranger.browser.new_context(
        storage_state=stranger.state,
        color_scheme=theme,
        viewport={"width": width, "height": 860},
    )
    context.set_default_timeout(PATIENCE)

    visited = crawl(context, stranger.watch, "/p/maps/")

    context.close()
    assert {f"/p/maps/{place}" for place in PLACES.values()} <= set(visited)
    assert stranger.watch.heard() == []


def test_rows_are_walked_opened_selected_and_left_by_key(stranger: Stranger, log: Page) -> None:
    for key in ("j", "j", "j", "k"):
        log.keyboard.press(key)
    expect(log.locator("[data-row]").nth(1)).to_be_focused()
    log.keyboard.press("Enter")
    expect(log.locator("#inspector")).to_contain_text("What is the capital of")
    log.keyboard.press("Escape")
    expect(log.locator("#inspector")).to_be_hidden()
    for key in ("x", "j", "j", "Shift+X"):
        log.keyboard.press(key)
    expect(log.locator("[data-selection-count]")).to_have_text("3 selected")
    log.keyboard.press("Escape")
    expect(log.locator("[data-selection-bar]")).to_be_hidden()

    log.keyboard.press("/")
    expect(log.locator("[data-query]")).to_be_focused()
    log.keyboard.press("Escape")
    log.keyboard.press("?")

    expect(log.locator("#help")).to_be_visible()
    assert stranger.watch.heard() == []


def test_two_keys_lead_to_every_place(stranger: Stranger, log: Page) -> None:
    for letter, place in PLACES.items():
        log.keyboard.press("Escape")  # leaves the playground's message
        log.keyboard.press("g")
        log.keyboard.press(letter)
        log.wait_for_url(stranger.project + place)
        settled(log)

    assert stranger.watch.heard() == []


def test_a_page_that_is_not_there_says_so_and_leads_back(stranger: Stranger, log: Page) -> None:
    answer = log.request.get(f"{stranger.project}log/00000000-0000-7000-8000-000000000000/")
    assert answer.status == 404
    assert "Nothing here" in answer.text()


def test_signing_out_closes_every_page(stranger: Stranger) -> None:
    page = stranger.browser.new_context().new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(f"{stranger.url}/sign-in/?next=/p/maps/log/")
    page.get_by_label("E-mail address").fill("ada@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/p/maps/log/")
    settled(page)

    page.get_by_label("You").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in/")
    page.goto(f"{stranger.project}log/")

    expect(page).to_have_url(re.compile(r"/sign-in/\?next="))
    page.context.close()


def test_the_server_prints_where_it_is_and_little_more(
    stranger: Stranger, installation: Installation
) -> None:
    said = installation.said()

    assert f"open {stranger.url}/setup/" in said
    assert "Traceback" not in said
    assert " INFO " not in said
    assert "Warning" not in said
