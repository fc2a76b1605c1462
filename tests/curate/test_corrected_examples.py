"""Examples whose request was corrected after they were made: told, and taken over by one action."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from requests_log.datasets import corrected
from requests_log.datasets.actions import freeze_version
from requests_log.datasets.corrected import take_correction, take_corrections
from requests_log.datasets.editing import NothingChanged, ThereAlready, edit_example
from requests_log.datasets.models import Dataset, Example
from requests_log.datasets.picking import add_requests
from requests_log.feedback.correcting import correct_answer, read_answer, withdraw_correction
from requests_log.models import RequestRow
from requests_log.selection import Selection
from tests.conftest import Cast
from tests.curate.factories import NOON, make_dataset, make_request, make_row
from tests.curate.test_log_pages import client_of, text_of
from workbench.core.models import Job
from workbench.core.queue import perform

HOUR = timedelta(hours=1)


@pytest.fixture
def row(cast: Cast) -> RequestRow:
    return make_request(cast.project)


@pytest.fixture
def dataset(cast: Cast, row: RequestRow) -> Dataset:
    made = make_dataset(cast.project)
    add_requests(made, selection=Selection(at=NOON), by=None, at=NOON)
    return made


def correct(cast: Cast, row: RequestRow, answer: str = "Four.") -> None:
    correct_answer(cast.project, row.id, answer=read_answer(answer), by=cast.alice, at=NOON)


def example_of(dataset: Dataset) -> Example:
    return Example.objects.in_dataset(dataset).select_related("content", "dataset").get()


def behind(dataset: Dataset) -> int:
    return Example.objects.in_dataset(dataset).corrected_since(dataset.project).count()


def test_a_correction_made_later_is_told_and_one_made_before_is_not(
    cast: Cast, row: RequestRow, dataset: Dataset
) -> None:
    assert behind(dataset) == 0

    correct(cast, row)
    later = make_dataset(cast.project, name="Later")
    add_requests(later, selection=Selection(at=NOON), by=None, at=NOON)

    assert behind(dataset) == 1
    assert behind(later) == 0
    assert example_of(later).content.answer == "Four."


def test_examples_from_before_the_upgrade_know_the_corrections_made_before_them(
    cast: Cast, row: RequestRow, dataset: Dataset
) -> None:
    added = example_of(dataset).created_at
    for answer, when in (("Four.", added - HOUR), ("four", added - HOUR), ("IV", added + HOUR)):
        correct_answer(cast.project, row.id, answer=read_answer(answer), by=None, at=when)
    migration = import_module("requests_log.datasets.migrations.0007_corrections_seen")

    with connection.cursor() as cursor:
        cursor.execute(migration.SEEN)

    assert example_of(dataset).correction == 2
    assert behind(dataset) == 1


def test_the_correction_is_taken_over_and_frozen_versions_stay(
    cast: Cast, row: RequestRow, dataset: Dataset
) -> None:
    version = freeze_version(dataset, by=None, at=NOON)
    correct(cast, row)

    take_correction(example_of(dataset), by=cast.bob, at=NOON)

    taken = example_of(dataset)
    assert (taken.content.answer, taken.provenance) == ("Four.", "human")
    assert taken.content.question == "What is 2+2?"
    assert [edit.content.answer for edit in taken.edits.all()] == ["4"]
    assert behind(dataset) == 0
    assert [row["messages"][-1]["content"] for row in version.rows()] == ["4"]


def test_what_somebody_wrote_into_the_question_stays(
    cast: Cast, row: RequestRow, dataset: Dataset
) -> None:
    edit_example(example_of(dataset), row=make_row("And 3+1?"), by=None, at=NOON)
    correct(cast, row)

    take_correction(example_of(dataset), by=None, at=NOON)

    taken = example_of(dataset).content
    assert (taken.question, taken.answer) == ("And 3+1?", "Four.")


def test_an_edit_settles_the_corrections_before_it(
    cast: Cast, row: RequestRow, dataset: Dataset
) -> None:
    correct(cast, row)
    edit_example(example_of(dataset), row=make_row("What is 2+2?", "IV"), by=None, at=NOON)

    assert behind(dataset) == 0
    with pytest.raises(NothingChanged, match="not corrected since"):
        take_correction(example_of(dataset), by=None, at=NOON)

    correct(cast, row, "four")
    assert behind(dataset) == 1


def test_a_withdrawn_correction_brings_the_logged_answer_back(
    cast: Cast, row: RequestRow, dataset: Dataset
) -> None:
    correct(cast, row)
    take_correction(example_of(dataset), by=None, at=NOON)
    withdraw_correction(cast.project, row.id, by=None, at=NOON)
    assert behind(dataset) == 1

    take_correction(example_of(dataset), by=None, at=NOON)

    taken = example_of(dataset)
    assert (taken.content.answer, taken.provenance) == ("4", "production")


def test_an_example_that_says_it_already_is_settled(
    cast: Cast, row: RequestRow, dataset: Dataset
) -> None:
    correct(cast, row)
    correct(cast, row, "4")

    take_correction(example_of(dataset), by=None, at=NOON)

    assert behind(dataset) == 0
    assert not example_of(dataset).edits.exists()


@pytest.mark.parametrize("at_once", [0, 1_000])
def test_all_of_a_dataset_are_corrected_but_what_it_holds_already(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    rows = [make_request(cast.project, question=f"{n}?") for n in range(5)]
    twice = make_request(cast.project, question="0?", answer="Four.")
    dataset = make_dataset(cast.project)
    add_requests(dataset, selection=Selection(at=NOON), by=None, at=NOON)
    for one in rows[:4]:
        correct(cast, one)
    monkeypatch.setattr(corrected, "AT_ONCE", at_once)
    monkeypatch.setattr(corrected, "CHUNK", 2)

    done = take_corrections(dataset, by=cast.alice, at=NOON)
    if done.job is not None:
        perform(done.job.pk, holder="test")
        result: dict[str, Any] = Job.objects.get(pk=done.job.pk).result
        done = corrected.TakenOver(**result)

    assert (done.changed, done.left) == (3, 1)
    assert done.sentence.startswith("3 examples corrected. 1 left")
    answers = dict(Example.objects.in_dataset(dataset).values_list("request_id", "content__answer"))
    assert [answers[one.id] for one in rows] == ["4", "Four.", "Four.", "Four.", "4"]
    assert answers[twice.id] == "Four."
    with pytest.raises(ThereAlready):
        take_correction(dataset.examples.get(request_id=rows[0].id), by=None, at=NOON)


def test_the_pages_tell_it_and_do_it(
    cast: Cast, alice: Client, row: RequestRow, dataset: Dataset
) -> None:
    correct(cast, row, "<b>Four</b>")
    base = f"/p/{cast.project.slug}/datasets"
    address = f"{base}/answers/examples/{example_of(dataset).pk}/"

    listed = text_of(alice.get(f"{base}/answers/"))
    page = text_of(alice.get(address))
    of_request = text_of(alice.get(f"{base}/of-request/{row.id}/"))
    seen = text_of(client_of(cast.victor).get(address))
    refused = client_of(cast.victor).post(f"{address}take-correction/")
    assert "1 example behind a correction" in listed
    assert "The answer of its request was corrected after it was added." in listed
    assert "corrected since" in listed
    assert "<ins>&lt;b&gt;Four&lt;/b&gt;</ins>" in page
    assert "take-correction" in page
    assert "corrected since" in of_request
    assert "take-correction" in of_request
    assert "take-correction" not in seen
    assert refused.status_code == 403

    answer = alice.post(f"{base}/answers/take-corrections/", follow=True)

    assert "1 example corrected." in text_of(answer)
    assert "corrected since" not in text_of(alice.get(address))
    assert "corrected since" not in text_of(alice.get(f"{base}/of-request/{row.id}/"))
    assert "Before it was edited" in text_of(alice.get(address))


def test_programs_take_corrections_over_too(
    cast: Cast, api: Client, row: RequestRow, dataset: Dataset
) -> None:
    base = "/api/v1/datasets/answers"
    one = f"{base}/examples/{example_of(dataset).pk}/take-correction"
    correct(cast, row)

    taken = api.post(one)
    again = api.post(one)
    correct(cast, row, "four")
    all_of_them = api.post(f"{base}/take-corrections")

    assert taken.json()["messages"][-1]["content"] == "Four."
    assert (again.status_code, again.json()["error"]["code"]) == (409, "nothing_changed")
    assert all_of_them.json() == {"changed": 1, "left": 0, "job": None}
    assert example_of(dataset).content.answer == "four"
