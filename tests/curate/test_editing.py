"""Changing single examples: the original stays, the split's group too, and freezing sees it."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from django.test import Client

from requests_log.datasets.actions import add_examples, freeze_version
from requests_log.datasets.canonical import read_row
from requests_log.datasets.editing import (
    NothingChanged,
    ThereAlready,
    edit_example,
    restore_example,
)
from requests_log.datasets.hygiene.private import redacted
from requests_log.datasets.models import Dataset, Example
from requests_log.datasets.pages.examples import edited_row
from requests_log.redaction.rules import Replacement, Rules, compiled
from tests.conftest import Cast
from tests.curate.factories import NOON, make_dataset, make_row
from tests.curate.test_log_pages import client_of, text_of
from workbench.core.errors import InvalidInput


@pytest.fixture
def dataset(cast: Cast) -> Dataset:
    return make_dataset(cast.project, rows=2)


@pytest.fixture
def example(dataset: Dataset) -> Example:
    return first_of(dataset)


def first_of(dataset: Dataset) -> Example:
    rows = Example.objects.in_dataset(dataset).select_related("content", "dataset")
    return rows.order_by("pk")[0]


def test_an_edit_keeps_what_was_there(cast: Cast, dataset: Dataset, example: Example) -> None:
    edit_example(example, row=make_row("Question 0?", "Four."), by=cast.alice, at=NOON)

    edited = first_of(dataset)
    assert (edited.content.answer, edited.provenance) == ("Four.", "human")
    (edit,) = edited.edits.all()
    assert (edit.content.answer, edit.provenance, edit.edited_by) == ("4", "import", cast.alice)


def test_the_original_comes_back(dataset: Dataset, example: Example) -> None:
    before = freeze_version(dataset, by=None, at=NOON)
    edit_example(example, row=make_row("Question 0?", "Four."), by=None, at=NOON)
    edit_example(example, row=make_row("Question 0?", "Five."), by=None, at=NOON)
    during = freeze_version(dataset, by=None, at=NOON)

    restore_example(example, by=None, at=NOON)

    assert first_of(dataset).provenance == "import"
    assert first_of(dataset).edits.count() == 3
    assert before.content_hash != during.content_hash
    assert freeze_version(dataset, by=None, at=NOON).content_hash == before.content_hash


def test_the_group_follows_the_prompt_unless_it_was_named(dataset: Dataset) -> None:
    named = make_row("Ours?", group="us")
    add_examples(dataset, rows=[named, make_row("Alone?")])
    alone, ours = Example.objects.in_dataset(dataset).newest_first()[:2]

    edited_ours = edit_example(ours, row=make_row("Ours, then?"), by=None, at=NOON)
    edited_alone = edit_example(alone, row=make_row("Alone, then?"), by=None, at=NOON)

    assert bytes(edited_ours.fingerprint) == bytes(ours.fingerprint)
    assert bytes(edited_alone.fingerprint) != bytes(alone.fingerprint)


def test_an_edit_that_changes_nothing_or_makes_a_double_is_refused(
    dataset: Dataset, example: Example
) -> None:
    with pytest.raises(NothingChanged):
        edit_example(example, row=example.content.body, by=None, at=NOON)
    with pytest.raises(NothingChanged):
        restore_example(example, by=None, at=NOON)
    with pytest.raises(ThereAlready):
        edit_example(example, row=make_row("Question 1?"), by=None, at=NOON)
    with pytest.raises(InvalidInput, match="answer is empty"):
        edit_example(example, row=make_row("Question 1?", " "), by=None, at=NOON)
    assert not example.edits.exists()


def test_line_ends_of_browsers_change_nothing() -> None:
    body = make_row("One\nTwo\r\nThree")
    form = {"content.1": "One\r\nTwo\r\nThree", "content.2": "5\r\n6"}

    row: Any = edited_row(body, form)

    assert row["messages"][1]["content"] == "One\nTwo\r\nThree"
    assert row["messages"][2]["content"] == "5\n6"


def test_an_example_is_edited_and_restored_by_page(
    alice: Client, cast: Cast, example: Example
) -> None:
    address = f"/p/{cast.project.slug}/datasets/answers/examples/{example.pk}/"

    form = text_of(alice.get(f"{address}edit/"))
    saved = alice.post(f"{address}edit/", {"content.2": "Four <b>"})
    page = text_of(alice.get(address))
    alice.post(f"{address}restore/")

    assert "content.2" in form
    assert saved.headers["Location"] == address
    assert "Four &lt;b&gt;" in page
    assert "Before it was edited" in page
    assert first_of(example.dataset).content.answer == "4"


def test_a_refused_edit_keeps_what_was_typed(alice: Client, cast: Cast, example: Example) -> None:
    address = f"/p/{cast.project.slug}/datasets/answers/examples/{example.pk}/edit/"

    empty = alice.post(address, {"content.1": "Typed", "content.2": " "})
    broken = alice.post(address, {"json": '{"messages": ['})

    assert empty.status_code == broken.status_code == 422
    assert "answer is empty" in text_of(empty)
    assert "Typed" in text_of(empty)
    assert "This is not JSON" in text_of(broken)


def test_an_example_is_removed_from_its_page(alice: Client, cast: Cast, example: Example) -> None:
    address = f"/p/{cast.project.slug}/datasets/answers/examples/{example.pk}/"
    viewer = client_of(cast.victor)

    assert viewer.post(f"{address}remove/").status_code == 403
    assert viewer.get(f"{address}edit/").status_code == 403
    alice.post(f"{address}remove/")

    assert not Example.objects.filter(pk=example.pk).exists()


def test_a_program_reads_replaces_and_removes_an_example(api: Client, example: Example) -> None:
    address = f"/api/v1/datasets/answers/examples/{example.pk}"
    row = make_row("Question 0?", "Four.")

    put = api.put(address, json.dumps(row), content_type="application/json")
    again = api.put(address, json.dumps(row), content_type="application/json")

    assert put.json()["messages"][-1]["content"] == "Four."
    assert again.status_code == 409
    assert api.get(address).json()["provenance"] == "human"
    assert api.delete(address).status_code == 204
    assert api.get(address).status_code == 404


def test_redaction_keeps_the_rejected_answer_and_knows_texts() -> None:
    ruleset = compiled(Rules(detectors={"email": Replacement.LABEL}), number=0, project_id=1)
    turns = make_row("Who?", "Ask ann@example.org")["messages"]
    pair = read_row(
        {"messages": turns, "rejected": {"role": "assistant", "content": "bob@example.org"}}
    )
    text = read_row({"text": "Write to ann@example.org."})

    for row in (pair, text):
        made = redacted(row.payload, row.fingerprint, ruleset)
        assert made is not None
        assert b"example.org" not in made.payload
        assert msgspec.json.decode(made.payload).keys() == msgspec.json.decode(row.payload).keys()
