"""The playground in a real browser, on the real server, before real (local) models."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web
from django.conf import settings
from playwright.sync_api import Browser, Page, expect

from prompts.models import PromptVersion
from requests_log.datasets.models import Example
from tests.browsers import PATIENCE
from tests.curate.factories import make_dataset, make_request
from tests.curate.test_browser import read
from tests.gateway.conftest import World
from tests.gateway.playground import Person, signed_in
from tests.gateway.test_playground import letters, nano  # noqa: F401 - fixtures
from tests.gateway.upstream import STREAM, Answer, chunk, sse, streamed, whole
from tests.journeys.browsing import CHROMIUM, browser
from tests.prompts.factories import make_prompt
from tests.ui.test_accessibility import AXE, FAULTS
from workbench.core.models import Role

# Style sheets are not fetched once more: axe looks for their imports beside the page.
FILLED = FAULTS.replace("resultTypes:", "preload: false, resultTypes:")
REFUSED = {"error": {"message": "Too many tokens: 9001.", "code": "context_length_exceeded"}}
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    # What the server says, in production only in its log, of every static file.
    pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume:Warning"),
    pytest.mark.skipif(CHROMIUM is None, reason="needs the browser Chromium on the path"),
]


@pytest.fixture
def editor(world: World) -> Iterator[Person]:
    make_dataset(world.project, name="Answers", rows=3)
    make_prompt(world.project, "support/sort", [{"role": "user", "content": "Sort {{question}}"}])
    world.upstream.answer = streamed([STREAM])
    with signed_in(world) as person:
        yield person


@pytest.fixture
def viewer(world: World) -> Iterator[Person]:
    with signed_in(world, Role.VIEWER, "Vic") as person:
        yield person


@pytest.fixture
def stranger(world: World) -> Iterator[Person]:
    with signed_in(world, None, "Stan") as person:
        yield person


@pytest.fixture
def chromium(editor: Person) -> Iterator[Browser]:
    """Started when everybody is there: its event loop is no place to ask the database in."""
    with browser() as started:
        yield started
        for page in [page for context in started.contexts for page in context.pages]:
            quiet(page)


def page_of(chromium: Browser, person: Person, **options: Any) -> Page:
    """Their browser; whatever goes wrong in a script fails the test."""
    viewport = options.pop("viewport", {"width": 1440, "height": 900})
    context = chromium.new_context(viewport=viewport, reduced_motion="reduce")
    name = settings.SESSION_COOKIE_NAME
    value = person.client.cookies[name].value
    context.add_cookies([{"name": name, "value": value, "url": person.world.url}])
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.on("pageerror", lambda problem: pytest.fail(str(problem)))
    return page


def quiet(page: Page) -> Page:
    """The page once nothing is under way: a question that is broken off by leaving would keep its
    connection to the database, and that the database from being dropped."""
    page.wait_for_load_state("networkidle")
    return page


def open_at(page: Page, person: Person, query: str = "") -> None:
    page.goto(f"{person.world.url}{person.base}{query}")
    page.wait_for_selector("#play[data-ready]")


def by_model(**answers: Answer) -> Answer:
    """Another answer for each model, by the last part of its name."""

    async def answer(request: web.Request) -> web.StreamResponse:
        asked = json.loads(await request.read())
        return await answers.get(asked["model"], streamed([STREAM]))(request)

    return answer


def test_two_models_answer_side_by_side_and_one_that_fails_leaves_the_other_alone(
    chromium: Browser, editor: Person
) -> None:
    editor.world.upstream.answer = by_model(bad=whole(REFUSED, status=400))
    page = page_of(chromium, editor)
    open_at(page, editor, "?model=acme/gpt-test")
    page.locator("[data-content]").fill("Greet me")
    page.locator("#play-add-column").click()
    page.locator(".play-column [data-model]").nth(1).fill("acme/bad")

    page.keyboard.press("Control+Enter")

    good, bad = page.locator(".play-column").all()
    expect(good.locator("[data-text]")).to_have_text("Grüß dich \N{GRINNING FACE}")
    expect(good.locator("[data-facts]")).to_contain_text("5 → 4 tokens")
    expect(bad.locator("[data-error-text]")).to_have_text("Too many tokens: 9001.")
    expect(bad.locator("[data-remedy]")).to_contain_text("Mend what it names")
    expect(page.locator("#play-status")).to_contain_text("1 of 2 failed")
    page.wait_for_url(re.compile(r"/playground/[2-9a-z]{12}/$"))

    quiet(page).reload()
    page.wait_for_selector("#play[data-ready]")
    expect(page.locator(".play-column [data-text]").first).to_contain_text("Grüß dich")

    page.keyboard.press("]")
    page.keyboard.press("]")
    focused = "() => document.activeElement.getAttribute('aria-label')"
    assert page.evaluate(focused) == "Answer 2"
    good.locator("[data-continue]").click()
    assert [one.input_value() for one in page.locator("[data-content]").all()] == [
        "Greet me", "Grüß dich \N{GRINNING FACE}", "",
    ]  # fmt: skip
    quiet(page)
    good.locator("[data-logged]").click()
    expect(page.locator("#content")).to_contain_text("Sourceplayground")


def test_a_row_of_a_dataset_fills_the_variables_and_the_edit_becomes_a_version(
    chromium: Browser, editor: Person
) -> None:
    page = page_of(chromium, editor)
    open_at(page, editor, "?prompt=support/sort&version=1")
    page.locator("[data-content]").fill("Sort {{question}} for {{team}}")
    expect(page.locator("#variable-team")).to_be_visible()
    page.locator(".play-column [data-model]").fill("acme/gpt-test")

    page.locator("#play-run").click()
    expect(page.locator("[id='error-variables.team']")).to_contain_text("has no value")
    expect(page.locator("#play-status")).to_contain_text("2 things to mend")
    assert editor.world.upstream.seen == []

    page.locator("#play-dataset").select_option("answers")
    page.locator("#play-row-next").click()
    expect(page.locator("#variable-question")).to_have_value("Question 1?")
    expect(page.locator("#error-values")).to_contain_text("no value for: team")
    page.locator("#variable-team").fill("sales")
    page.locator("#play-run").click()
    expect(page.locator("#play-status")).to_contain_text("Done")
    sent = json.loads(editor.world.upstream.last.body)
    assert sent["messages"][0]["content"] == "Sort Question 1? for sales"

    page.locator("[data-dialog=play-version]").click()
    page.locator("#play-version-message").fill("Teams, too")
    page.locator("#play-version [data-save]").click()
    expect(page.locator("#toasts")).to_contain_text("Saved as support/sort:2")
    saved = read(lambda: PromptVersion.objects.get(prompt__name="support/sort", number=2))
    assert saved.message == "Teams, too"
    assert saved.body[0]["content"] == "Sort {{question}} for {{team}}"


def test_an_answer_to_a_logged_call_becomes_an_example_and_a_correction(
    chromium: Browser, editor: Person
) -> None:
    logged = read(lambda: make_request(editor.world.project, question="Greet me", answer="No."))
    page = page_of(chromium, editor)
    page.goto(f"{editor.world.url}/p/{editor.world.project.slug}/log/{logged.id}/")
    quiet(page).get_by_role("link", name="Open in playground").click()
    page.wait_for_selector("#play[data-ready]")
    page.locator("#play-expected summary").click()
    expect(page.locator("#play-expected-text")).to_have_text("No.")
    page.locator(".play-column [data-model]").fill("acme/gpt-test")
    page.locator("#play-run").click()

    page.locator("[data-example]").click()
    page.locator("#play-example [data-save]").click()
    expect(page.locator("#toasts")).to_contain_text("Added to “Answers”.")
    page.locator("[data-correction]").click()
    page.locator("#play-correction-text").fill("Welcome!")
    page.locator("#play-correction [data-save]").click()
    expect(page.locator("#toasts")).to_contain_text("The corrected answer is saved.")

    example = read(lambda: Example.objects.select_related("content").get(provenance="teacher"))
    assert example.content.answer == "Grüß dich \N{GRINNING FACE}"
    quiet(page).goto(f"{editor.world.url}/p/{editor.world.project.slug}/log/{logged.id}/")
    expect(page.locator("#content")).to_contain_text("Welcome!")


def test_stop_ends_a_provider_that_hangs_and_keeps_what_came(
    chromium: Browser, editor: Person
) -> None:
    editor.world.upstream.answer = streamed([sse(chunk({"content": "One moment"}))], hang=True)
    page = page_of(chromium, editor)
    open_at(page, editor, "?model=acme/gpt-test")
    page.locator("[data-content]").fill("Hi")
    page.locator("#play-run").click()
    expect(page.locator("[data-text]")).to_have_text("One moment")

    page.locator("#play-stop").click()

    expect(page.locator("#play-status")).to_have_text("Stopped.")
    expect(page.locator("[data-text]")).to_have_text("One moment")
    expect(page.locator("#play-stop")).to_be_hidden()


def test_chat_shown_as_raw_gets_the_same_answer(
    chromium: Browser,
    editor: Person,
    letters: str,  # noqa: F811 - the fixture
) -> None:
    page = page_of(chromium, editor)
    open_at(page, editor, f"?model={letters}")
    page.locator("[data-content]").fill("What is the capital of Oslo?")
    page.locator("#play-temperature").fill("0")
    page.locator("#play-max_tokens").fill("24")
    page.locator("#play-run").click()
    expect(page.locator("#play-status")).to_contain_text("Done")
    chat = page.locator("[data-text]").text_content()

    page.locator("#play-show-raw").click()
    expect(page.locator("#play-prompt")).to_have_value(re.compile(r"<\|user\|>What is"))
    page.locator("#play-run").click()
    expect(page.locator("[data-again]")).to_be_visible()
    expect(page.locator("#play-status")).to_contain_text("Done")

    assert chat
    assert page.locator("[data-text]").text_content() == chat


def test_a_second_member_opens_the_shared_link_on_a_phone_and_a_stranger_does_not(
    editor: Person, viewer: Person, stranger: Person, chromium: Browser
) -> None:
    page = page_of(chromium, editor)
    open_at(page, editor, "?model=acme/gpt-test")
    page.locator("[data-content]").fill("Share me")
    page.locator("#play-share").click()
    page.wait_for_url(re.compile(r"/playground/[2-9a-z]{12}/$"))

    phone = page_of(chromium, viewer, viewport={"width": 390, "height": 844})
    phone.goto(page.url)
    phone.wait_for_selector("#play[data-ready]")
    answer = read(lambda: stranger.client.get(page.url.removeprefix(editor.world.url)))

    expect(phone.locator("[data-content]")).to_have_value("Share me")
    expect(phone.locator("#play-run")).to_be_disabled()
    assert phone.evaluate("() => document.documentElement.scrollWidth - innerWidth") == 0
    assert answer.status_code == 404


def test_the_filled_page_has_no_serious_fault(chromium: Browser, editor: Person) -> None:
    page = page_of(chromium, editor)
    open_at(page, editor, "?prompt=support/sort")
    page.locator(".play-column [data-model]").fill("acme/gpt-test")
    page.locator("#variable-question").fill("{}")
    page.locator("#play-run").click()
    expect(page.locator("#play-status")).to_contain_text("Done")

    page.evaluate(AXE.read_text("utf-8"))
    faults = []
    for theme in ("light", "dark"):
        page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
        faults += page.evaluate(FILLED, [])

    assert faults == []
