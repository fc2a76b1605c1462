"""Filling and freezing datasets."""

from __future__ import annotations

import json

import pytest
from django.db import IntegrityError, connection, transaction

from requests_log.datasets.actions import (
    NameTaken,
    NothingToFreeze,
    add_examples,
    create_dataset,
    freeze_version,
    remove_examples,
)
from requests_log.datasets.models import Content, DatasetVersion, Example, VersionRow
from tests.conftest import Cast
from tests.curate.factories import NOON, make_dataset, make_row
from workbench.core.errors import InvalidInput


def test_a_name_is_taken_once_per_project(cast: Cast) -> None:
    create_dataset(cast.project, name="Checkout answers", by=cast.alice)

    with pytest.raises(NameTaken, match="Add to it"):
        create_dataset(cast.project, name="checkout answers", by=cast.bob)

    assert create_dataset(cast.other_project, name="Checkout answers", by=None).slug


def test_the_same_conversation_is_stored_once(cast: Cast) -> None:
    dataset = make_dataset(cast.project)

    first = add_examples(dataset, rows=[make_row("Hi"), make_row("Hi"), make_row("Ho")])
    second = add_examples(dataset, rows=[make_row("Hi", name=None)])

    assert (first.added, first.duplicates) == (2, 1)
    assert (second.added, second.duplicates) == (0, 1)


def test_two_datasets_share_one_copy_of_a_conversation(cast: Cast) -> None:
    make_dataset(cast.project, name="One", rows=3)
    make_dataset(cast.project, name="Two", rows=3)

    assert Example.objects.count() == 6
    assert Content.objects.count() == 3


def test_good_rows_are_kept_and_bad_rows_are_told_by_index(cast: Cast) -> None:
    dataset = make_dataset(cast.project)
    rows = [
        make_row("Hi"),
        {"messages": [{"role": "user", "content": "alone"}]},
        "text",
        make_row("empty", answer="  "),
        {"messages": [{"role": "boss", "content": "?"}]},
        make_row("Ho"),
    ]

    outcome = add_examples(dataset, rows=rows)

    assert outcome.added == 2
    assert [(bad.index, bad.code) for bad in outcome.problems] == [
        (1, "no_answer"),
        (2, "not_an_object"),
        (3, "empty_answer"),
        (4, "unknown_role"),
    ]


def test_too_many_rows_store_nothing(cast: Cast) -> None:
    dataset = make_dataset(cast.project)

    with pytest.raises(InvalidInput, match="20,000"):
        add_examples(dataset, rows=(make_row(f"{n}") for n in range(20_001)))

    assert not Example.objects.in_dataset(dataset).exists()


def test_hostile_text_is_stored_exactly(cast: Cast) -> None:
    dataset = make_dataset(cast.project)
    nasty = "NUL \x00, bidi \u202e, emoji \U0001f600, <script>"

    add_examples(dataset, rows=[make_row(nasty, answer="\x00")])

    stored = Example.objects.select_related("content").get()
    assert stored.content.body["messages"][1]["content"] == nasty
    assert stored.content.answer == "\N{REPLACEMENT CHARACTER}"


def test_half_a_surrogate_pair_is_refused_with_a_sentence(cast: Cast) -> None:
    outcome = add_examples(make_dataset(cast.project), rows=[make_row("\ud83d")])

    assert outcome.problems[0].code == "not_unicode"


def test_tool_calls_are_an_answer(cast: Cast) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "look", "arguments": {"a": 1}}}
    messages = [
        {"role": "user", "content": "Look"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
    ]

    add_examples(make_dataset(cast.project), rows=[{"messages": messages}])

    answer = Example.objects.get().content.body["messages"][1]
    assert answer["tool_calls"][0]["function"] == {"name": "look", "arguments": '{"a":1}'}


def test_freezing_the_same_contents_gives_the_same_hash_in_any_order(cast: Cast) -> None:
    rows = [make_row(f"{number}?") for number in range(50)]
    one, two = make_dataset(cast.project, name="One"), make_dataset(cast.project, name="Two")
    add_examples(one, rows=rows)
    add_examples(two, rows=list(reversed(rows)))

    hashes = {freeze_version(d, by=None, at=NOON).content_hash for d in (one, two, one)}

    assert len(hashes) == 1


def test_the_hash_tells_contents_and_splits_apart(cast: Cast) -> None:
    dataset = make_dataset(cast.project, rows=50)
    first = freeze_version(dataset, by=None, at=NOON)
    other_split = freeze_version(dataset, by=None, at=NOON, split=(50, 50))
    add_examples(dataset, rows=[make_row("One more?")])
    grown = freeze_version(dataset, by=None, at=NOON)

    assert [v.number for v in (first, other_split, grown)] == [1, 2, 3]
    assert len({v.content_hash for v in (first, other_split, grown)}) == 3


def test_a_group_never_lands_on_both_sides(cast: Cast) -> None:
    dataset = make_dataset(cast.project)
    rows = [make_row(f"{n % 40}?", answer=str(n)) for n in range(200)]
    rows += [make_row(f"{n} alone", group=f"g{n % 5}") for n in range(50)]
    add_examples(dataset, rows=rows)

    version = freeze_version(dataset, by=None, at=NOON, split=(50, 50))

    sides: dict[bytes, set[str]] = {}
    for row in VersionRow.objects.filter(version=version):
        sides.setdefault(bytes(row.fingerprint), set()).add(row.split)
    assert len(sides) == 45
    assert all(len(side) == 1 for side in sides.values())
    assert version.train_rows > 0
    assert version.heldout_rows > 0


def test_prompts_that_differ_in_case_or_spacing_are_one_group(cast: Cast) -> None:
    dataset = make_dataset(cast.project)

    add_examples(dataset, rows=[make_row("Hello  there"), make_row("hello\nTHERE")])

    assert Example.objects.values("fingerprint").distinct().count() == 1


@pytest.mark.parametrize("percent", [0, 1, 10, 37.5, 100])
def test_the_split_follows_the_written_rule(cast: Cast, percent: float) -> None:
    dataset = make_dataset(cast.project, rows=200)

    version = freeze_version(dataset, by=None, at=NOON, split=(100 - percent, percent))

    for row in VersionRow.objects.filter(version=version):
        bucket = int.from_bytes(bytes(row.fingerprint)[:4], "big") % 10_000
        assert (bucket < percent * 100) == (row.split == "heldout")


def test_a_group_stays_on_its_side_while_the_dataset_grows(cast: Cast) -> None:
    dataset = make_dataset(cast.project, rows=100)
    first = freeze_version(dataset, by=None, at=NOON, split=(70, 30))
    add_examples(dataset, rows=[make_row(f"new {n}") for n in range(100)])

    second = freeze_version(dataset, by=None, at=NOON, split=(70, 30))

    was = {row["id"] for row in first.rows("heldout")}
    assert was < {row["id"] for row in second.rows("heldout")}


def test_an_empty_dataset_is_not_frozen(cast: Cast) -> None:
    with pytest.raises(NothingToFreeze, match="Add some"):
        freeze_version(make_dataset(cast.project), by=None, at=NOON)


@pytest.mark.parametrize("split", [(90, 20), (-10, 110), (0, 0)])
def test_a_split_must_make_a_hundred(cast: Cast, split: tuple[float, float]) -> None:
    with pytest.raises(InvalidInput, match="100"):
        freeze_version(make_dataset(cast.project, rows=1), by=None, at=NOON, split=split)


def test_rows_stream_in_the_frozen_order_and_once_each(cast: Cast) -> None:
    dataset = make_dataset(cast.project, rows=1100)
    version = freeze_version(dataset, by=None, at=NOON)

    rows = list(version.rows())

    assert [row["id"] for row in rows] == sorted({row["id"] for row in rows})
    assert len(rows) == 1100
    assert len(list(version.rows("train"))) == version.train_rows
    assert rows[0]["messages"][-1] == {"role": "assistant", "content": "4"}


def test_a_version_keeps_its_rows_when_examples_go(cast: Cast) -> None:
    dataset = make_dataset(cast.project, rows=5)
    version = freeze_version(dataset, by=None, at=NOON)

    ids = list(Example.objects.values_list("pk", flat=True))
    assert remove_examples(dataset, ids=ids) == 5

    assert len(list(version.rows())) == 5


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE datasets_datasetversion SET content_hash = 'x'",
        "UPDATE datasets_datasetversion SET train_rows = 1",
        "UPDATE datasets_versionrow SET split = 'heldout'",
        "UPDATE datasets_content SET answer = 'x'",
        "UPDATE datasets_versionrow SET position = 99 WHERE position = 2",
        "DELETE FROM datasets_versionrow WHERE position = 0; SET CONSTRAINTS ALL IMMEDIATE",
    ],
)
def test_the_database_refuses_to_change_a_frozen_version(cast: Cast, change: str) -> None:
    freeze_version(make_dataset(cast.project, rows=3), by=None, at=NOON)

    with (
        pytest.raises(IntegrityError),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(change)


def test_the_database_takes_no_row_more_into_a_frozen_version(cast: Cast) -> None:
    dataset = make_dataset(cast.project, rows=3)
    version = freeze_version(dataset, by=None, at=NOON)
    add_examples(dataset, rows=[make_row("Late?")])
    late = Example.objects.newest_first()[0]

    with pytest.raises(IntegrityError, match="no more rows"), transaction.atomic():
        VersionRow.objects.create(
            version=version,
            position=3,
            content=late.content,
            split="train",
            fingerprint=late.fingerprint,
            provenance="import",
        )


def test_notes_of_a_version_may_change(cast: Cast) -> None:
    version = freeze_version(make_dataset(cast.project, rows=3), by=None, at=NOON)

    DatasetVersion.objects.filter(pk=version.pk).update(notes="for the demo")

    version.refresh_from_db()
    assert version.notes == "for the demo"


def test_a_project_goes_with_its_frozen_versions(cast: Cast) -> None:
    freeze_version(make_dataset(cast.project, rows=3), by=None, at=NOON)

    cast.project.delete()

    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    assert not DatasetVersion.objects.exists()
    assert not Content.objects.exists()


def test_a_payload_that_does_not_match_its_hash_is_refused(cast: Cast) -> None:
    with pytest.raises(IntegrityError, match="content_matches_its_hash"), transaction.atomic():
        Content.objects.create(
            project=cast.project,
            sha256=b"\x00" * 32,
            payload=json.dumps({"messages": []}).encode(),
            question="",
            answer="",
            turns=0,
            prompt_characters=0,
            answer_characters=0,
        )
