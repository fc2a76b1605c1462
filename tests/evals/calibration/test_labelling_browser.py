"""Labelling answers for a judge by single keys, in a real browser."""

from __future__ import annotations

from django.test import Client
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from evals.calibration.models import Calibration, CalibrationItem
from evals.judges.presets import BETTER
from tests.conftest import Cast
from tests.curate.test_browser import no_kept_connections as no_kept_connections
from tests.curate.test_browser import pytestmark as pytestmark
from tests.curate.test_browser import read
from tests.evals.answering import Provider
from tests.evals.calibration.factories import make_calibration
from tests.evals.human.test_rating_browser import page as page
from tests.evals.judges.factories import make_judge
from tests.journeys.browsing import settled


def test_pairs_are_labelled_blindly_by_single_keys(
    page: Page, live_server: LiveServer, cast: Cast, provider: Provider, alice: Client
) -> None:
    def made() -> Calibration:
        version = make_judge(cast.project, "better", settings=BETTER.settings)
        return make_calibration(cast, provider, version)

    calibration = read(made)
    page.goto(f"{live_server}/p/{cast.project.slug}/evals/calibrations/{calibration.pk}/label/")
    settled(page)
    done = page.locator("#rate-rest .progress")
    expect(page.locator("#rate-form")).to_be_visible()
    # nobody is told whose an answer is; the palette names no model either
    assert "good" not in page.locator("#rate").inner_text()

    for key, words in (("1", "1 of 6"), ("2", "2 of 6"), ("0", "3 of 6"), ("u", "2 of 6")):
        page.keyboard.press(key)
        expect(done).to_contain_text(words)
    for key, words in (("0", "3 of 6"), ("s", "3 of 5"), ("1", "4 of 5"), ("1", "5 of 5")):
        page.keyboard.press(key)
        expect(done).to_contain_text(words)
    expect(page.locator("#rate")).to_contain_text("All are labelled")
    page.keyboard.press("Enter")
    expect(page.locator("#calibration")).to_contain_text("not asked about 5 labelled answers yet")

    rows = CalibrationItem.objects.of(calibration).labelled().in_order()
    assert read(lambda: [one.label for one in rows]) == ["A", "B", "tie", "A", "A"]
