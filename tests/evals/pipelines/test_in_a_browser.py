"""In a browser: a pipeline is set up, tried and run, a cell is opened, examples are made."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest
from django.db import connections
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from evals.pipelines.models import Run
from requests_log.datasets.models import Example
from tests.conftest import Cast
from tests.evals.answering import Provider
from tests.evals.factories import make_connection
from tests.evals.pipelines.factories import (
    TEACH,
    make_pipeline,
    make_run,
    numbered,
    perform_run,
    step,
)
from tests.journeys.browsing import CHROMIUM, settled
from workbench.core.models import Job
from workbench.core.queue import perform

T = TypeVar("T")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs the browser Chromium on the path"),
]


def test_the_whole_way_from_a_file_to_examples(
    page: Page, live_server: LiveServer, cast: Cast, provider: Provider, tmp_path: Path
) -> None:
    _worker(lambda: make_connection(cast.project, provider.url))
    table = tmp_path / "questions.csv"
    table.write_text("n,answer\n1,Answer 1\n2,Answer 2\n3,Answer 3\n", "utf-8")
    page.goto(f"{live_server}/p/{cast.project.slug}/evals/pipelines/")
    settled(page)
    page.get_by_role("link", name="New pipeline").click()

    page.locator("#id_name").fill("Teach")
    page.locator("#id_file").set_input_files(table)
    expect(page.locator("#vars-0")).to_contain_text("answer")
    page.locator("#id_s0-set-model").fill("local/good")
    page.locator("#id_s0-set-template").fill("Question {{n}}?")
    page.get_by_role("button", name="Grade").click()
    expect(page.locator("#id_s1-set-answer")).to_have_value("teacher")

    page.get_by_role("button", name="Test on one row").click()
    inspector = page.locator("#inspector")
    expect(inspector).to_contain_text("Row 1 of questions.csv")
    expect(page).to_have_url(f"{live_server}{_edit_path(cast)}")
    assert _worker(lambda: perform_run(_newest())).is_test
    expect(inspector).to_contain_text("Question 1?")
    expect(inspector).to_contain_text("Answer 1")

    page.get_by_role("button", name="Price and run…").click()
    expect(inspector).to_contain_text("nobody knows what local good costs")
    page.get_by_role("button", name="Start the run").click()
    expect(page.locator("#run-live")).to_contain_text("0of 3")
    _worker(lambda: perform_run(_newest()))
    expect(page.locator("#run-live")).to_contain_text("3of 3")
    expect(page.locator("#row-2")).to_contain_text("Answer 3")
    assert sorted(question for _, question in provider.asked) == [
        f"Question {n}?" for n in (1, 2, 3)
    ]

    page.locator("#row-2").get_by_role("link", name="Answer 3").click()
    expect(inspector).to_contain_text("Question 3?")
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Use the results").click()
    page.get_by_role("button", name="Make them").click()
    expect(page.locator("#toasts")).to_contain_text("They are being made.")
    making = _worker(lambda: Job.objects.get(kind="pipelines.make_results").pk)
    _worker(lambda: perform(making, holder="test"))
    made = _worker(lambda: [one.provenance for one in Example.objects.all()])
    assert made == ["teacher"] * 3


def test_the_table_fills_by_itself_and_people_decide_by_keys(
    page: Page, live_server: LiveServer, cast: Cast, provider: Provider
) -> None:
    gate = threading.Event()
    provider.rules["good"] = lambda question: _after(gate, question)
    run = _worker(lambda: _with_people(cast, provider))
    place = f"{live_server}/p/{cast.project.slug}/evals/pipelines/runs/{run.pk}/"
    page.goto(place)
    settled(page)

    with ThreadPoolExecutor(1) as worker:
        doing = worker.submit(_closing, lambda: perform_run(run))
        expect(page.locator("#row-0")).to_contain_text("Answer 0")
        expect(page.locator("#row-2 .skeleton").first).to_be_attached()
        gate.set()
        expect(page.locator("#run-state")).to_contain_text("Waiting for people")
        doing.result()
    expect(page.locator("#row-2")).to_contain_text("with a person")

    page.keyboard.press("p")
    answer = page.get_by_label("The answer")
    expect(answer).to_have_value("Answer 0")
    page.keyboard.press("a")
    expect(answer).to_have_value("Answer 1")
    page.keyboard.press("e")
    expect(answer).to_be_focused()
    answer.fill("Changed")
    page.keyboard.press("Escape")
    page.keyboard.press("w")
    expect(answer).to_have_value("Answer 2")
    page.keyboard.press("r")
    expect(page.get_by_text("Every row is decided")).to_be_visible()

    page.get_by_role("link", name="Open the run").click()
    expect(page.locator("#row-1")).to_contain_text("Changed")
    page.locator("#row-0").get_by_role("link", name="Answer 0").first.click()
    expect(page.locator("#inspector")).to_contain_text("Question 0?")
    expect(page.locator("#run-state")).to_contain_text("Done")


def _with_people(cast: Cast, provider: Provider) -> Run:
    make_connection(cast.project, provider.url)
    look = step("human", "looked", answer="teacher")
    return make_run(make_pipeline(cast.project, TEACH, look), numbered(3))


def _after(gate: threading.Event, question: str) -> str | tuple[int, str]:
    """The first row is answered at once, the others when the page was looked at."""
    if question != "Question 0?" and not gate.is_set():
        return 503, "Not yet."
    return question.replace("Question", "Answer").rstrip("?")


def _closing(do: Callable[[], T]) -> T:
    try:
        return do()
    finally:
        connections.close_all()


def _worker(do: Callable[[], T]) -> T:
    """Do it in a thread of its own: the browser holds this one's event loop."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(_closing, do).result()


def _newest() -> Run:
    return Run.objects.newest_first()[0]


def _edit_path(cast: Cast) -> str:
    run = _worker(_newest)
    return f"/p/{cast.project.slug}/evals/pipelines/{run.pipeline_id}/edit/"
