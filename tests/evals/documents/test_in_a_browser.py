"""In a browser: a file is sent and read, pairs are priced, made, dropped and added."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest
from django.db import connections
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

import evals.pipelines.tasks  # noqa: F401 - says how a run is done
from evals.documents.models import DocumentSet, Making
from requests_log.datasets.models import Example
from tests.conftest import Cast
from tests.evals.answering import Provider
from tests.evals.documents.test_making import NOTES, judge, write_pairs
from tests.evals.factories import make_connection
from tests.journeys.browsing import CHROMIUM, settled
from workbench.core.models import Job
from workbench.core.queue import perform

T = TypeVar("T")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs the browser Chromium on the path"),
]


def test_notes_become_examples(
    page: Page, live_server: LiveServer, cast: Cast, provider: Provider, tmp_path: Path
) -> None:
    worker(lambda: make_connection(cast.project, provider.url))
    provider.rules |= {"teacher": write_pairs, "judge": judge}
    notes = tmp_path / "notes.md"
    notes.write_text(NOTES, "utf-8")
    page.goto(f"{live_server}/p/{cast.project.slug}/evals/documents/")
    settled(page)

    page.locator("#documents-files").set_input_files(notes)
    page.get_by_role("button", name="Read them").click()
    expect(page.get_by_role("heading", name="notes.md")).to_be_visible()
    worker(lambda: work(DocumentSet.objects.get().job))
    expect(page.locator("#chunk-1")).to_contain_text("parcels")

    page.get_by_role("link", name="Ask a teacher").first.click()
    page.locator("#id_teacher").fill("local/teacher")
    page.locator("#id_judge").fill("local/judge")
    page.locator("#id_count").fill("3")
    page.locator("#id_count").blur()
    expect(page.locator("#price")).to_contain_text("Judging")
    expect(page.locator("#price")).to_contain_text("nobody knows what local judge costs")
    page.get_by_role("button", name="Make the pairs").click()
    expect(page.get_by_text("Asking the teacher and the judge")).to_be_visible()
    worker(lambda: work(Making.objects.get().run.job))

    first = page.locator("tr[id^=pair-]").first
    expect(first).to_contain_text("Supported")
    expect(page.locator("#pairs-actions")).to_contain_text("Done")
    first.get_by_role("button", name="Drop").click()
    expect(first.get_by_role("button", name="Keep")).to_be_visible()
    page.keyboard.press("d")
    expect(page.locator("#toasts")).to_contain_text("examples were added to notes.md")
    kept = worker(lambda: Making.objects.get().pairs.kept().count())
    assert worker(Example.objects.count) == kept > 0


def work(job: Job | None) -> None:
    """Do it as the worker does."""
    assert job is not None
    perform(job.pk, holder="test")


def worker(do: Callable[[], T]) -> T:
    """Do it in a thread of its own: the browser holds this one's event loop."""

    def doing() -> T:
        try:
            return do()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(doing).result()
