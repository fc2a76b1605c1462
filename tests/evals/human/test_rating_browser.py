"""Judging answers without a mouse, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from evals.human.models import Rating, RatingForm, Study
from evals.human.rating import Said
from tests.browsers import PATIENCE
from tests.conftest import Cast
from tests.curate.test_browser import no_kept_connections as no_kept_connections
from tests.curate.test_browser import pytestmark as pytestmark
from tests.curate.test_browser import read
from tests.evals.human.factories import (
    EVERY_KIND,
    judge,
    make_rating_study,
    make_side_by_side,
)
from tests.journeys.browsing import Watch, browser, settled

SIZES = [(1440, 900), (390, 844)]


@pytest.fixture
def page(
    no_kept_connections: None, live_server: LiveServer, cast: Cast, alice: Client
) -> Iterator[Page]:
    """Alice's browser; whatever it complains about fails the test."""
    name = settings.SESSION_COOKIE_NAME
    cookie: Any = {"name": name, "value": alice.cookies[name].value, "url": str(live_server)}
    watch = Watch(str(live_server))
    with browser() as chromium:
        context = chromium.new_context(viewport={"width": 1440, "height": 900})
        context.add_cookies([cookie])
        opened = context.new_page()
        opened.set_default_timeout(PATIENCE)
        watch.follow(opened)
        yield opened
        context.close()
    assert watch.heard() == []


def open_study(page: Page, live_server: LiveServer, study: Study) -> None:
    page.goto(f"{live_server}/p/{study.project.slug}/evals/human/{study.pk}/rate/")
    settled(page)
    expect(page.locator("#rate-form")).to_be_visible()


def done(page: Page, words: str) -> None:
    expect(page.locator("#rate-rest .progress")).to_contain_text(words)


def choices(study: Study) -> list[tuple[str, str]]:
    rows = Rating.objects.of_study(study).given().order_by("pk")
    return read(lambda: list(rows.values_list("choice", "comment")))


def test_two_answers_are_compared_blindly_by_single_keys(
    page: Page, live_server: LiveServer, cast: Cast
) -> None:
    study = read(lambda: make_side_by_side(cast.project, rows=5, both_bad=True))
    open_study(page, live_server, study)
    assert not re.search("student|teacher|Who knows more", page.content())

    page.keyboard.press("1")
    done(page, "1 of 5")
    page.keyboard.press("c")
    page.keyboard.type("clearer: 2 of 3")
    page.keyboard.press("Escape")
    page.keyboard.press("2")
    done(page, "2 of 5")
    page.keyboard.press("0")
    done(page, "3 of 5")
    page.keyboard.press("u")
    expect(page.locator("#rate")).to_contain_text("Undone: your rating.")
    done(page, "2 of 5")
    page.keyboard.press("b")
    done(page, "3 of 5")
    page.keyboard.press("s")
    done(page, "3 of 4")
    page.keyboard.press("1")
    expect(page.locator("#rate")).to_contain_text("Nothing waits for you")

    assert choices(study) == [("left", ""), ("right", "clearer: 2 of 3"), ("both_bad", ""),
                              ("left", "")]  # fmt: skip
    assert not re.search("student|teacher|Who knows more", page.content())


@pytest.mark.parametrize("size", SIZES)
def test_every_kind_of_field_is_answered_by_keys(
    page: Page, live_server: LiveServer, cast: Cast, size: tuple[int, int]
) -> None:
    each = {"key": "each", "kind": "yes_no", "title": "Fine?", "per_message": True}
    study = read(
        lambda: make_rating_study(cast.project, [*EVERY_KIND, each], rows=2, labels=["student"])
    )
    page.set_viewport_size({"width": size[0], "height": size[1]})
    open_study(page, live_server, study)
    expect(page.locator(".rate-field.is-current legend")).to_have_text("Fine?")

    page.keyboard.press("y")  # and on to the stars
    page.keyboard.press("4")  # and on to the tone
    page.keyboard.press("2")  # and on to the faults
    page.keyboard.press("1")
    page.keyboard.press("3")
    page.keyboard.press("j")
    page.keyboard.press("n")  # and on to the number
    page.keyboard.press("e")
    page.keyboard.type("80")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("e")
    page.keyboard.type("Shorter")
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    done(page, "1 of 2")

    rating = read(lambda: Rating.objects.get())
    assert rating.answers == {
        "helpful": 4.0, "tone": "Neutral", "faults": ["Too long", "Off topic"], "true": False,
        "sure": 80.0, "better": "Shorter", "each": {"1": True},
    }  # fmt: skip
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_what_is_not_answered_yet_is_shown_and_nothing_is_lost(
    page: Page, live_server: LiveServer, cast: Cast
) -> None:
    study = read(
        lambda: make_rating_study(cast.project, EVERY_KIND[:2], rows=2, labels=["student"])
    )
    open_study(page, live_server, study)

    page.keyboard.press("5")
    page.keyboard.press("Enter")

    expect(page.locator(".rate-field.is-current legend")).to_have_text("Its tone")
    expect(page.locator("[name='a.helpful'][value='5']")).to_be_checked()
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    done(page, "1 of 2")


def test_whoever_is_faster_than_the_server_loses_no_verdict(
    page: Page, live_server: LiveServer, cast: Cast
) -> None:
    study = read(lambda: make_side_by_side(cast.project, rows=4))
    open_study(page, live_server, study)
    shown = page.locator("#rate-item")
    first = shown.get_attribute("data-slot")
    page.route("**/rate/submit/", _slowly)

    page.keyboard.press("1")
    expect(shown).not_to_have_attribute("data-slot", first or "")  # before the server answered
    page.keyboard.press("c")
    page.keyboard.type("typed meanwhile")
    page.keyboard.press("Escape")
    page.keyboard.press("2")
    done(page, "2 of 4")

    assert choices(study) == [("left", ""), ("right", "typed meanwhile")]


def _slowly(route: Route) -> None:
    """The server takes its time, so that the keys are faster."""
    route.request.frame.page.wait_for_timeout(700)
    route.continue_()


def test_a_form_is_made_with_its_preview(page: Page, live_server: LiveServer, cast: Cast) -> None:
    page.goto(f"{live_server}/p/{cast.project.slug}/evals/human/forms/new/")
    settled(page)
    page.get_by_label("Name").fill("Tone")
    page.get_by_role("button", name="Another field").click()
    page.locator("[name=f3-title]").fill("Which tone?")
    page.locator("[name=f3-kind]").select_option("choice")
    page.locator("[name=f3-options]").fill("Kind\nRude")
    expect(page.locator("#form-preview")).to_contain_text("Rude")
    page.get_by_role("button", name="Move up field 4").click()
    expect(page.locator("[name=f2-title]")).to_have_value("Which tone?")
    page.get_by_role("button", name="Remove field 4").click()
    expect(page.locator("[name=f3-title]")).to_have_count(0)
    page.get_by_role("button", name="Save the form").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Tone version 1")

    form = read(lambda: RatingForm.objects.get())
    version = read(lambda: form.versions.get())
    assert [field["kind"] for field in version.fields] == ["stars", "yes_no", "choice"]


def test_results_draw_their_charts(page: Page, live_server: LiveServer, cast: Cast) -> None:
    study = read(lambda: make_side_by_side(cast.project, rows=2, per_item=2))
    for by in (cast.alice, cast.bob):
        read(partial(judge, study, by, Said(choice="left"), Said(choice="tie")))
    page.goto(f"{live_server}/p/{cast.project.slug}/evals/human/{study.pk}/")
    settled(page)

    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Finish and show results").click()

    expect(page.locator("#rates .main-svg").first).to_be_visible()
    expect(page.locator("#main")).to_contain_text("Win rate")
