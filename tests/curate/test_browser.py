"""Curating with the keyboard, in a real browser, from the log to a frozen version."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TypeVar

import pytest
from django.conf import settings
from django.db import connection, connections
from django.test import Client
from playwright.sync_api import Page, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from requests_log.datasets.models import Dataset, DatasetVersion
from requests_log.models import Correction, LoggedRequest, LoggedScore
from requests_log.review.models import Step
from tests.browsers import PATIENCE
from tests.conftest import Cast
from tests.curate.factories import MORNING, NOON, make_request, make_requests
from workbench.core.models import Job, Project
from workbench.core.queue import perform

T = TypeVar("T")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs the browser Chromium on the path"),
]


@pytest.fixture
def no_kept_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """The live server's threads let go of the test database after each request."""
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", 0)


@pytest.fixture
def page(
    no_kept_connections: None, live_server: LiveServer, cast: Cast, alice: Client
) -> Iterator[Page]:
    """Alice's browser; whatever it complains about fails the test."""
    make_requests(cast.project, 12, tags={"route": "checkout"})
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
        opened.goto(f"{live_server}/p/{cast.project.slug}/log/?q=tag.route%3Acheckout")
        opened.wait_for_function("window.htmx && document.querySelector('[data-row][tabindex]')")
        yield opened
        browser.close()
    assert complaints == []


def read(question: Callable[[], T]) -> T:
    """Ask the database from another thread: Playwright runs an event loop in this one."""

    def ask() -> T:
        try:
            return question()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(ask).result()


def test_a_selection_becomes_a_frozen_version_by_keyboard(page: Page) -> None:
    for key in ("j", "x", "*", "a", "d"):
        page.keyboard.press(key)
    page.locator("#pick-name").fill("From the keyboard")
    page.keyboard.press("Enter")
    expect(page.locator("#toasts")).to_contain_text("Added 12")

    page.goto(page.url.split("/log/")[0] + "/datasets/from-the-keyboard/")
    page.keyboard.press("v")
    page.locator("#freeze button").click()

    expect(page.locator("#toasts")).to_contain_text("Froze From the keyboard v1: 12 rows.")
    assert read(lambda: Dataset.objects.get().examples.count()) == 12
    assert read(lambda: DatasetVersion.objects.get().row_count) == 12


def test_enter_in_the_tag_dialog_sets_the_tag(page: Page) -> None:
    for key in ("j", "x", "j", "shift+x", "t"):
        page.keyboard.press(key.replace("shift+x", "Shift+X"))
    page.locator("#tag-name").fill("quality")
    page.locator("#tag-value").fill("good")
    page.keyboard.press("Enter")

    expect(page.locator("#toasts")).to_contain_text("Tag quality: good: 2 changed.")
    assert read(lambda: LoggedRequest.objects.all().tagged("quality", "good").count()) == 2


def test_the_inspector_edits_tags_and_keeps_its_own_address(page: Page) -> None:
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.locator("#tags [name=name]").fill("it's")
    page.locator("#tags [name=value]").fill("<b>")
    page.keyboard.press("Enter")
    expect(page.locator("#tags")).to_contain_text("it's: <b>")

    page.get_by_role("button", name="Remove the tag it's").click()
    expect(page.locator("#tags")).not_to_contain_text("it's")
    page.reload()

    expect(page.locator(".inspector__head")).to_contain_text("Question 11?")


def test_deleted_requests_are_brought_back_with_a_key(page: Page, cast: Cast) -> None:
    rows = LoggedRequest.objects.in_project(cast.project)
    for key in ("j", "x", "j", "x", "#"):
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    expect(page.locator("#toasts")).to_contain_text("Deleted 2.")
    assert read(rows.count) == 10

    page.keyboard.press("u")

    expect(page.locator("#toasts")).to_contain_text("2 put back")
    assert read(rows.count) == 12


def test_a_query_is_completed_by_keyboard_and_mistakes_are_marked_in_place(page: Page) -> None:
    query, offers = page.locator("[data-query]"), page.locator("#query-offers")
    page.keyboard.press("/")
    page.keyboard.type("modle:x tag.")
    expect(offers.get_by_role("option").first).to_contain_text("tag.route:")
    expect(page.locator("[data-marks] mark")).to_have_text("modle:x")
    expect(page.locator("#query-error")).to_contain_text("Did you mean “model:”")

    page.keyboard.press("Control+a")
    page.keyboard.type("tag.r")
    expect(offers.get_by_role("option").first).to_contain_text("tag.route:")
    page.keyboard.press("Tab")
    expect(query).to_have_value("tag.route:")
    expect(offers.get_by_role("option").first).to_contain_text("checkout")
    page.keyboard.press("ArrowDown")
    expect(query).to_have_attribute("aria-activedescendant", "offer-0")
    page.keyboard.press("Enter")
    expect(query).to_have_value("tag.route:checkout ")
    expect(page.locator("[data-marks] mark")).to_have_count(0)

    page.keyboard.press("Enter")

    expect(page).to_have_url(re.compile(r"\?q=tag\.route%3Acheckout\+$"))
    expect(page.locator("[data-row]")).to_have_count(12)


def test_a_span_drawn_over_the_bars_becomes_part_of_the_query(page: Page) -> None:
    area = page.locator("#timeline .nsewdrag")
    expect(area).to_be_visible()
    box = area.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.25, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, middle, steps=5)
    page.mouse.move(box["x"] + box["width"] * 0.75, middle, steps=5)
    page.mouse.up()

    expect(page).to_have_url(re.compile("since%3A2026-11-21T08"))
    expect(page.locator("[data-query]")).to_have_value(
        re.compile(r"^tag\.route:checkout since:2026-11-21T\S+ until:2026-11-21T\S+$")
    )
    expect(page.locator("[data-row]")).not_to_have_count(12)
    expect(page.locator("[data-row]").first).to_be_visible()
    assert 0 < page.locator("[data-row]").count() < 12
    expect(page.locator("#timeline .main-svg").first).to_be_visible()

    page.keyboard.press("z")
    page.keyboard.press("a")

    expect(page.locator("[data-query]")).to_have_value("tag.route:checkout")


def test_a_span_is_said_by_keyboard_in_the_fields_beside_the_bars(page: Page) -> None:
    expect(page.locator("#timeline .main-svg").first).to_be_visible()
    page.keyboard.press("z")
    page.keyboard.press("f")
    start, end = page.get_by_label("From (UTC)"), page.get_by_label("Until (UTC)")
    expect(start).to_be_focused()
    expect(start).to_have_value("2026-11-21T08:00")

    start.fill("2026-11-21T08:03")
    tab_to(page, "[name=to]")
    end.fill("2026-11-21T08:07")
    page.keyboard.press("Enter")

    expect(page.locator("[data-query]")).to_have_value(
        "tag.route:checkout since:2026-11-21T08:03:00 until:2026-11-21T08:07:00"
    )
    expect(page.locator("[data-row]")).to_have_count(4)


def test_a_pressed_bar_becomes_part_of_the_query(page: Page) -> None:
    area = page.locator("#timeline .nsewdrag")
    expect(area).to_be_visible()
    bar = page.locator("#timeline .bars .point path").first.bounding_box()
    assert bar is not None
    page.mouse.move(bar["x"] + bar["width"] / 2, bar["y"] + bar["height"] / 2)
    page.mouse.click(bar["x"] + bar["width"] / 2, bar["y"] + bar["height"] / 2)

    expect(page).to_have_url(re.compile("since%3A2026-11-21T08"))
    expect(page.locator("[data-row]")).to_have_count(1)


def test_a_view_is_saved_and_found_again_by_keyboard(page: Page) -> None:
    page.keyboard.press("v")
    page.keyboard.type("Checkout calls")
    page.keyboard.press("Enter")
    expect(page.locator("#toasts")).to_contain_text("Saved “Checkout calls”")

    page.keyboard.press("g")
    page.keyboard.press("d")
    page.wait_for_url("**/datasets/")
    page.keyboard.press("Control+k")
    page.keyboard.type("checkout")
    expect(page.locator("#palette [role=option]").first).to_contain_text("Checkout calls")
    page.keyboard.press("Enter")

    expect(page.locator("[data-query]")).to_have_value("tag.route:checkout")
    expect(page.locator("[data-row]")).to_have_count(12)


def arrive(page: Page, heading: str) -> None:
    """Wait until the page of that heading is there with its scripts, so that no key is lost."""
    expect(page.locator("h1")).to_have_text(heading)
    page.wait_for_load_state()


def test_a_request_is_read_scored_and_corrected_without_a_mouse(page: Page) -> None:
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.locator("#inspector").get_by_role("link", name="Open page").press("Enter")
    arrive(page, "Question 11?")
    page.keyboard.press("j")
    arrive(page, "Question 10?")
    page.keyboard.press("k")
    arrive(page, "Question 11?")

    page.keyboard.press("+")
    expect(page.locator("#scores .badge")).to_have_text("yes")
    page.keyboard.press("c")
    page.keyboard.type("Looks right.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#comments .said")).to_contain_text("Looks right.")

    page.keyboard.press("e")
    arrive(page, "Correct the answer")
    page.locator("#answer").fill("5")
    expect(page.locator("#answer-change ins")).to_have_text("5")
    page.get_by_role("button", name="Save the corrected answer").press("Enter")
    expect(page.locator("#corrected .diff")).to_have_text("45")

    assert read(LoggedScore.objects.count) == 1
    assert read(Correction.objects.count) == 1


def test_the_way_back_from_a_request_keeps_the_query(page: Page) -> None:
    page.locator("[data-row] [data-open]").first.press("Enter")
    page.locator("#inspector").get_by_role("link", name="Open page").press("Enter")
    arrive(page, "Question 11?")

    page.keyboard.press("u")

    expect(page.locator("[data-query]")).to_have_value("tag.route:checkout")


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until this has the focus."""
    for _ in range(150):
        if page.evaluate("selector => document.activeElement?.matches(selector)", selector):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"Tab does not reach {selector}")


def ready(page: Page, address: str) -> None:
    """Wait for a page and its scripts."""
    page.wait_for_url(address)
    page.wait_for_function("window.htmx && document.readyState === 'complete'")


def work_off() -> int:
    """Do the jobs that wait, as a worker would; returns how many."""
    waiting = list(Job.objects.filter(state=Job.State.QUEUED))
    return sum(perform(job.pk, holder="test") for job in waiting)


def test_the_whole_path_is_walked_without_a_mouse(page: Page, cast: Cast) -> None:
    """Query, inspect, tag, review, select all but two, add, mend duplicates, freeze, export."""
    read(lambda: _fill_up_to_twenty(cast.project))

    _find_inspect_and_tag(page)
    _review_twenty(page)
    _select_all_but_two_and_add_them(page)
    _mend_the_duplicate(page)
    _freeze(page)
    name = _export(page)

    assert name == "checkout-answers-v1.trl.zip"
    assert read(_verdicts) == {"accepted": 16, "edited": 1, "rejected": 2, "skipped": 1}
    assert read(lambda: Step.objects.exclude(undone_at=None).get().note) == "Incomplete"
    assert read(_scores) == {"accepted": 16, "edited": 1, "rejected": 2}
    assert read(_frozen_answers) == Counter({"4": 16, "4, and no more": 1})


def _fill_up_to_twenty(project: Project) -> None:
    """Seven more requests, and one that asks the same as another in capitals."""
    tags = {"route": "checkout"}
    for number in range(12, 19):
        at = MORNING + timedelta(hours=1, minutes=number)
        make_request(project, at=at, question=f"Question {number}?", tags=tags)
    make_request(project, at=NOON, question="QUESTION 3?", tags=tags)


def _verdicts() -> dict[str, int]:
    return Counter(Step.objects.standing().values_list("verdict", flat=True))


def _scores() -> dict[str | None, int]:
    return Counter(LoggedScore.objects.filter(name="review").values_list("label", flat=True))


def _frozen_answers() -> Counter[str]:
    return Counter(row["messages"][-1]["content"] for row in DatasetVersion.objects.get().rows())


def _find_inspect_and_tag(page: Page) -> None:
    _find(page)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.locator(".inspector__head")).to_contain_text("QUESTION 3?")
    page.keyboard.press("Escape")
    for key in ("x", "t"):
        page.keyboard.press(key)
    page.keyboard.type("quality")
    page.keyboard.press("Tab")
    page.keyboard.type("good")
    page.keyboard.press("Enter")
    expect(page.locator("#toasts")).to_contain_text("Tag quality: good: 1 changed.")


def _find(page: Page) -> None:
    page.keyboard.press("/")
    page.keyboard.press("Control+a")
    page.keyboard.type("status:ok tag.route:checkout ")
    page.keyboard.press("Enter")
    expect(page.locator("[data-row]")).to_have_count(20)
    ready(page, "**/log/?q=status*")


def _review_twenty(page: Page) -> None:
    """Accept sixteen, edit one, reject two, skip one; take a wrong verdict back on the way."""
    for key in ("j", "x", "*", "a", "q"):
        page.keyboard.press(key)
    expect(page.locator("#toasts")).to_contain_text("20 changed")
    for key in ("g", "q"):
        page.keyboard.press(key)
    ready(page, "**/queue/")

    _decide(page, "Question 0?", "a")
    _decide(page, "Question 1?", "e", "Control+End")
    page.keyboard.type(", and no more")
    expect(page.locator("#review-change ins")).to_have_text(", and no more")
    _decide(page, "Question 1?", "Escape", "a")
    _decide(page, "Question 2?", "2")
    _decide(page, "Question 3?", "u")
    expect(page.locator("#review")).to_contain_text("Undone: rejected.")
    for number in (2, 3, 4):
        _decide(page, f"Question {number}?", "a")
    _decide(page, "Question 5?", "s")
    expect(page.locator(".progress")).to_contain_text("5 of 19")
    for number in range(6, 17):
        _decide(page, f"Question {number}?", "a")
    _decide(page, "Question 17?", "1")
    _decide(page, "Question 18?", "r")
    page.keyboard.type("not in our voice")
    page.keyboard.press("Enter")
    _decide(page, "QUESTION 3?", "a")

    expect(page.locator(".progress")).to_contain_text(re.compile(r"19 of 19 done, [\d,]+ an hour"))
    expect(page.locator(".progress")).not_to_contain_text("left")
    expect(page.locator("#review")).to_contain_text("Nothing waits for you")
    for key in ("g", "l"):
        page.keyboard.press(key)
    ready(page, "**/log/")
    _find(page)


def _decide(page: Page, question: str, *keys: str) -> None:
    expect(page.locator("#review-item .transcript")).to_contain_text(question)
    for key in keys:
        page.keyboard.press(key)


def _select_all_but_two_and_add_them(page: Page) -> None:
    """The two are those that were rejected: the second and the third of the list."""
    for key in ("j", "x", "*", "a", "j", "x", "j", "x"):
        page.keyboard.press(key)
    expect(page.locator("[data-selection-count]")).to_have_text("18 selected")
    page.keyboard.press("d")
    expect(page.locator("#pick-name")).to_be_visible()
    tab_to(page, "#pick-name")
    page.keyboard.type("Checkout answers")
    page.keyboard.press("Enter")
    expect(page.locator("#toasts")).to_contain_text("Added 18")

    ready(page, "**/log/?q=status*")
    for key in ("g", "d"):
        page.keyboard.press(key)
    ready(page, "**/datasets/")
    for key in ("j", "Enter"):
        page.keyboard.press(key)
    ready(page, "**/datasets/checkout-answers/")


def _mend_the_duplicate(page: Page) -> None:
    tab_to(page, "a[href$='/quality/']")
    page.keyboard.press("Enter")
    ready(page, "**/quality/")
    page.keyboard.press("c")
    expect(page.locator("#check-progress")).to_be_visible()
    assert read(work_off) == 1
    page.keyboard.press("F5")
    expect(page.locator("#check-exact")).to_contain_text("Keep one of each")
    tab_to(page, "#check-exact button[name=how]")
    page.keyboard.press("Enter")
    expect(page.locator("#toasts")).to_contain_text("1")
    expect(page.locator(".page-head .count")).to_contain_text("17 examples")


def _freeze(page: Page) -> None:
    tab_to(page, "a[href$='/versions/']")
    page.keyboard.press("Enter")
    ready(page, "**/versions/")
    tab_to(page, "#freeze button")
    page.keyboard.press("Enter")
    expect(page.locator("#toasts")).to_contain_text("Froze Checkout answers v1: 17 rows.")


def _export(page: Page) -> str:
    tab_to(page, "a[href$='/export/']")
    page.keyboard.press("Enter")
    ready(page, "**/export/")
    tab_to(page, "[name=format]")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#export-choices code").first).to_contain_text("completion")
    tab_to(page, "#export-choices button")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    return download.value.suggested_filename
