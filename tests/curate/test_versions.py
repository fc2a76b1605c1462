"""Frozen versions: hashes that are the same anywhere, sides no group straddles, what changed."""

from __future__ import annotations

import json
import random
import unicodedata
from hashlib import sha256
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from requests_log.datasets.actions import add_examples, freeze_version, remove_examples
from requests_log.datasets.canonical import group_fingerprint
from requests_log.datasets.diffing import Change, difference
from requests_log.datasets.hygiene.actions import fix_findings
from requests_log.datasets.models import Dataset, DatasetVersion, Example, VersionRow
from requests_log.datasets.versions import annotate_version, delete_version
from tests.conftest import Cast
from tests.curate.factories import NOON, make_dataset, make_row
from tests.curate.test_dataset_pages import pages
from tests.curate.test_hygiene import checked
from tests.curate.test_log_pages import text_of
from workbench.core.errors import InvalidInput

unhurried = settings(
    deadline=None,
    max_examples=15,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
ROWS = st.lists(
    st.tuples(TEXTS, TEXTS.filter(str.strip), st.sampled_from(["", "a", "b", "c"])),
    min_size=1,
    max_size=12,
)


def rows_of(drawn: list[tuple[str, str, str]]) -> list[dict[str, Any]]:
    """Rows, each of a group of its own prompt or of a named one."""
    return [
        make_row(question, answer=answer, **({"group": group} if group else {}))
        for question, answer, group in {(q, a): (q, a, g) for q, a, g in drawn}.values()
    ]


def hash_by_hand(rows: list[dict[str, Any]], heldout: float) -> str:
    """The content hash as docs/curating.md tells it, without the product's code for it."""
    hashes: dict[bytes, str] = {}
    for row in rows:
        payload = json.dumps(
            {"messages": [dict(sorted(m.items())) for m in row["messages"]]},
            ensure_ascii=False,
            separators=(",", ":"),
        ).encode()
        group = row.get("group")
        key = group_fingerprint(group) if group else fingerprint_by_hand(row["messages"][:-1])
        held = int.from_bytes(key[:4]) % 10_000 < round(heldout * 100)
        hashes[sha256(payload).digest()] = "heldout" if held else "train"
    return sha256(b"".join(one + hashes[one].encode() for one in sorted(hashes))).hexdigest()


def fingerprint_by_hand(prompt: list[dict[str, str]]) -> bytes:
    parts = []
    for message in prompt:
        text = unicodedata.normalize("NFKC", message["content"]).casefold()
        parts.append(f"{message['role']}\x1f{' '.join(text.split())}")
    return sha256("\x1e".join(parts).encode()).digest()


def frozen(cast: Cast, rows: list[dict[str, Any]], *, heldout: float = 10) -> DatasetVersion:
    """A version of a new dataset of these rows."""
    name = f"Set {Dataset.objects.count()}"
    dataset = make_dataset(cast.project, name=name)
    add_examples(dataset, rows=rows)
    return freeze_version(dataset, by=None, at=NOON, split=(100 - heldout, heldout))


@unhurried
@given(drawn=ROWS, heldout=st.sampled_from([0.0, 10.0, 33.33, 50.0, 100.0]), seed=st.integers())
def test_the_hash_is_the_same_in_any_order_and_by_hand(
    cast: Cast, drawn: list[tuple[str, str, str]], heldout: float, seed: int
) -> None:
    with transaction.atomic():
        rows = rows_of(drawn)
        shuffled = list(rows)
        random.Random(seed).shuffle(shuffled)

        first, second = frozen(cast, rows, heldout=heldout), frozen(cast, shuffled, heldout=heldout)

        assert first.content_hash == second.content_hash == hash_by_hand(rows, heldout)
        order = [row["id"] for row in first.rows()]
        assert order == [row["id"] for row in second.rows()] == sorted(order)
        transaction.set_rollback(True)


def test_the_hash_is_this_one_on_every_machine_and_postgres(cast: Cast) -> None:
    rows = [make_row(f"Wie heißt {n}? 名前", answer=f"Grüße {n} 🙂") for n in range(50)]

    told = frozen(cast, rows).content_hash

    assert told == hash_by_hand(rows, 10)
    assert told == "7e610c77d92024497bdb2e543f297677ead744302f908c6cf2f819bc2ed2f6ef"


@unhurried
@given(drawn=ROWS, heldout=st.floats(0, 100))
def test_no_group_is_on_two_sides_of_any_version(
    cast: Cast, drawn: list[tuple[str, str, str]], heldout: float
) -> None:
    with transaction.atomic():
        version = frozen(cast, rows_of(drawn), heldout=heldout)

        sides: dict[bytes, set[str]] = {}
        for key, split in VersionRow.objects.filter(version=version).values_list(
            "fingerprint", "split"
        ):
            sides.setdefault(bytes(key), set()).add(split)
        assert all(len(one) == 1 for one in sides.values())
        transaction.set_rollback(True)


@unhurried
@given(drawn=ROWS, more=ROWS)
def test_a_group_stays_on_its_side_when_the_dataset_grows_and_the_share_rises(
    cast: Cast, drawn: list[tuple[str, str, str]], more: list[tuple[str, str, str]]
) -> None:
    with transaction.atomic():
        before = frozen(cast, rows_of(drawn), heldout=20)
        after = frozen(cast, rows_of([*drawn, *more]), heldout=60)

        held = VersionRow.objects.filter(version=before, split="heldout").values("fingerprint")
        later = VersionRow.objects.filter(version=after, fingerprint__in=held)
        assert not later.exclude(split="heldout").exists()
        transaction.set_rollback(True)


def grown(cast: Cast) -> tuple[DatasetVersion, DatasetVersion]:
    """Two versions: one row edited, one added, one removed, one as it was."""
    dataset = make_dataset(cast.project)
    add_examples(dataset, rows=[make_row("Stays?"), make_row("Goes?"), make_row("Edited?")])
    old = freeze_version(dataset, by=None, at=NOON)
    gone = Example.objects.in_dataset(dataset).filter(content__question__in=["Goes?", "Edited?"])
    remove_examples(dataset, ids=list(gone.values_list("pk", flat=True)))
    add_examples(dataset, rows=[make_row("Edited?", answer="five"), make_row("New?")])
    return old, freeze_version(dataset, by=None, at=NOON, filter_text="prompt:x")


def test_what_changed_is_added_removed_or_edited(cast: Cast) -> None:
    old, new = grown(cast)

    told = {one.change: one for one in difference(old, new)}

    assert [told[change].total for change in Change] == [1, 1, 1, 0]
    [edited] = told[Change.EDITED].rows
    assert [(piece.change, piece.text) for piece in edited.answer] == [
        ("removed", "4"),
        ("added", "five"),
    ]
    assert told[Change.ADDED].rows[0].content.question == "New?"
    assert told[Change.REMOVED].rows[0].content.question == "Goes?"
    assert all(one.total == 0 for one in difference(new, new))


def test_another_split_of_the_same_rows_is_told_as_moved(cast: Cast) -> None:
    dataset = make_dataset(cast.project, rows=20)
    old = freeze_version(dataset, by=None, at=NOON, split=(100, 0))
    new = freeze_version(dataset, by=None, at=NOON, split=(0, 100))

    told = {one.change: one.total for one in difference(old, new)}

    assert told == {Change.EDITED: 0, Change.ADDED: 0, Change.REMOVED: 0, Change.MOVED: 20}


def test_fixes_in_force_are_written_down_and_cannot_be_changed(cast: Cast) -> None:
    dataset = make_dataset(cast.project)
    add_examples(dataset, rows=[make_row("a b c"), make_row("A  B C"), make_row("d")])
    fix_findings(checked(dataset), check="exact", how="drop", by=None, at=NOON)

    version = freeze_version(dataset, by=None, at=NOON)

    assert version.transforms == [{"check": "exact", "how": "drop", "examples": 1}]
    with pytest.raises(IntegrityError, match="cannot change"), transaction.atomic():
        DatasetVersion.objects.filter(pk=version.pk).update(transforms=[])


def test_notes_are_the_one_thing_that_changes(cast: Cast) -> None:
    _, version = grown(cast)

    annotate_version(version, notes=" better ")

    assert DatasetVersion.objects.get(pk=version.pk).notes == "better"
    with pytest.raises(InvalidInput, match="at most 2,000"):
        annotate_version(version, notes="x" * 2_001)


def test_the_number_of_a_deleted_version_is_not_given_again(cast: Cast) -> None:
    _, version = grown(cast)
    dataset = version.dataset

    delete_version(version)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

    assert freeze_version(dataset, by=None, at=NOON).number == 3


def test_the_manifest_can_be_checked_by_anybody(api: Client, cast: Cast) -> None:
    _, version = grown(cast)

    answer = api.get(f"/api/v1/datasets/{version.dataset.slug}/versions/2/manifest/")
    head, *rows = [json.loads(line) for line in b"".join(answer).splitlines()]

    written = b"".join(bytes.fromhex(row["content"]) + row["split"].encode() for row in rows)
    assert sha256(written).hexdigest() == head["content_hash"] == version.content_hash
    assert head["filter_text"] == "prompt:x"
    assert len(rows) == head["rows"] == 3


def test_a_program_reads_changes_annotates_and_deletes(api: Client, cast: Cast) -> None:
    grown(cast)
    base = "/api/v1/datasets/answers/versions/2/"

    changes = api.get(base + "diff/").json()
    noted = api.patch(base, {"notes": "later"}, content_type="application/json").json()
    lineage = api.get(base + "lineage/").json()
    deleted = api.delete(base)

    assert {one["change"]: one["total"] for one in changes}["edited"] == 1
    assert noted["notes"] == "later"
    assert lineage == []
    assert deleted.status_code == 204
    assert api.get(base).status_code == 404


def test_the_page_of_a_version_shows_lineage_changes_and_notes(alice: Client, cast: Cast) -> None:
    grown(cast)

    alice.post(pages(cast, "answers/versions/2/notes/"), {"notes": "<b>later</b>"})
    page = text_of(alice.get(pages(cast, "answers/versions/2/")))
    changed = text_of(alice.get(pages(cast, "answers/versions/2/diff/")))
    first = text_of(alice.get(pages(cast, "answers/versions/1/diff/?against=2")))
    alice.post(pages(cast, "answers/evaluation-set/"), {"version": "2", "is_on": "1"})
    alice.post(pages(cast, "answers/versions/1/delete/"))

    assert "&lt;b&gt;later&lt;/b&gt;" in page
    assert "Training runs" in page
    assert "prompt:x" in page
    assert "From v1 to v2" in changed
    assert "<del>4</del><ins>five</ins>" in changed
    assert "From v2 to v1" in first
    assert [v.is_evaluation_set for v in DatasetVersion.objects.all()] == [True]
    assert alice.get(pages(cast, "answers/versions/9/")).status_code == 404
