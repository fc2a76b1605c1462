"""Examples are tagged, found by their tags, and frozen by them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from requests_log.datasets.actions import NothingToFreeze, freeze_version
from requests_log.datasets.canonical import read_row
from requests_log.datasets.hygiene.actions import undo_fix
from requests_log.datasets.hygiene.fixing import apply
from requests_log.datasets.hygiene.models import Fix
from requests_log.datasets.models import Dataset, DatasetVersion, Example
from requests_log.datasets.storing import Incoming, store
from requests_log.datasets.tags import in_words, read_lines, tag_counts, tag_examples
from requests_log.tagging import Tagging
from tests.conftest import Cast
from tests.curate.factories import NOON, make_dataset, make_row
from tests.curate.test_log_pages import client_of, text_of
from workbench.core.errors import InvalidInput


def place(cast: Cast, rest: str = "") -> str:
    return f"/p/{cast.project.slug}/datasets/answers/{rest}"


def store_tagged(dataset: Dataset, many: int, **tags: str) -> int:
    """Rows 0 to many, tagged so."""
    rows = [read_row(make_row(f"Question {n}?", f"Answer {n}")) for n in range(many)]
    return store(dataset, [Incoming(row, "teacher", tags=tags) for row in rows])


@pytest.fixture
def tagged(cast: Cast) -> Dataset:
    """Six examples; the first four are hard, the first two of them also about refunds."""
    dataset = make_dataset(cast.project, rows=0)
    store_tagged(dataset, 6)
    store_tagged(dataset, 4, level="hard")
    store_tagged(dataset, 2, topic="refunds: late")
    return dataset


def test_what_is_stored_again_gets_the_tags_and_is_not_doubled(tagged: Dataset) -> None:
    told = [(one.label, one.count) for one in tag_counts(tagged)]

    assert Example.objects.in_dataset(tagged).count() == 6
    assert told == [("level: hard", 4), ("topic: refunds: late", 2)]


def test_examples_are_shown_by_tag(alice: Client, cast: Cast, tagged: Dataset) -> None:
    whole = text_of(alice.get(place(cast)))
    some = text_of(alice.get(place(cast), {"tag": ["level:hard", "topic:refunds: late"]}))
    none = text_of(alice.get(place(cast), {"tag": "level:easy"}))

    assert 'href="?tag=level%3Ahard"' in whole
    assert (whole.count("data-row"), some.count("data-row")) == (6, 2)
    assert "2 of 6 examples" in some
    assert "versions/?tag=level%3Ahard&amp;tag=topic%3Arefunds%3A+late#freeze" in some
    assert "No example is tagged so." in none


def test_selected_examples_are_tagged_and_untagged(
    alice: Client, cast: Cast, tagged: Dataset
) -> None:
    ids = [str(pk) for pk in Example.objects.in_dataset(tagged).values_list("pk", flat=True)[:3]]
    changed = {"name": "seen", "value": "yes"}

    alice.post(place(cast, "tag/"), changed | {"ids": ids})
    everywhere = {"all": "1", "q": "level:hard", "except": [], "name": "level", "remove": "1"}
    alice.post(place(cast, "tag/"), everywhere)

    told = {one.label: one.count for one in tag_counts(tagged)}
    assert told == {"seen: yes": 3, "topic: refunds: late": 2}
    viewer = client_of(cast.victor)
    assert viewer.post(place(cast, "tag/"), changed | {"ids": ids}).status_code == 403
    assert 'data-dialog="tag-examples"' not in text_of(viewer.get(place(cast)))


def test_a_version_is_frozen_of_what_is_tagged_so(
    alice: Client, cast: Cast, tagged: Dataset
) -> None:
    form = text_of(alice.get(place(cast, "versions/"), {"tag": "level:hard"}))
    alice.post(place(cast, "freeze/"), {"heldout": "0", "tags": "level:hard", "filter_text": "x"})

    version = DatasetVersion.objects.get(dataset=tagged)
    assert 'value="level:hard"' in form
    assert (version.row_count, version.filter_text) == (4, "tag.level:hard x")
    with pytest.raises(NothingToFreeze, match=r"No example of “Answers” has tag\.level:easy"):
        freeze_version(tagged, by=None, at=NOON, tags={"level": "easy"})


def test_tags_over_http(api: Client, cast: Cast, tagged: Dataset) -> None:
    one = f"/api/v1/datasets/{tagged.slug}"

    def send(body: Any, path: str = "tags") -> Any:
        return api.post(f"{one}/{path}", json.dumps(body), content_type="application/json")

    changed = send({"tagged": {"level": "hard"}, "name": "batch", "value": "7"})
    removed = send({"tagged": {"level": "hard"}, "name": "topic", "value": None})
    frozen = send({"heldout": 0, "tags": {"batch": "7"}}, "versions")

    assert (changed.json(), removed.json()) == ({"changed": 4}, {"changed": 2})
    assert send({"name": "batch", "value": "7"}).status_code == 400
    assert api.get(f"{one}/tags").json()[0] == {"name": "batch", "value": "7", "count": 4}
    found = api.get(f"{one}/examples", {"tag": "batch:7"}).json()["examples"]
    assert [row["tags"] for row in found] == [{"level": "hard", "batch": "7"}] * 4
    assert frozen.json()["rows"] == 4


def test_a_dropped_example_comes_back_with_its_tags(cast: Cast, tagged: Dataset) -> None:
    ids = list(Example.objects.in_dataset(tagged).values_list("pk", flat=True))
    fix = Fix.objects.create(dataset=tagged, check_name="private", how="drop")

    apply(fix, ids)
    assert not Example.objects.in_dataset(tagged).exists()
    undo_fix(fix, at=NOON)

    assert {one.label: one.count for one in tag_counts(tagged)}["level: hard"] == 4


def test_tags_are_read_from_text() -> None:
    assert read_lines("topic: refunds,\n batch:7, plain") == {
        "topic": "refunds",
        "batch": "7",
        "plain": "",
    }
    assert (
        in_words({"topic": "late refunds", "batch": "7"}) == 'tag.topic:"late refunds" tag.batch:7'
    )
    with pytest.raises(InvalidInput, match="A tag's name has 1 to 60 characters"):
        read_lines(":value")
    with pytest.raises(InvalidInput, match="at most 20 tags"):
        read_lines(",".join(f"a{n}" for n in range(21)))


def test_setting_the_same_tag_again_changes_nothing(cast: Cast, tagged: Dataset) -> None:
    ids = list(Example.objects.in_dataset(tagged).values_list("pk", flat=True))

    first = tag_examples(tagged, ids=ids, tagging=Tagging("a", "b"))
    again = tag_examples(tagged, ids=ids, tagging=Tagging("a", "b"))

    assert (first, again) == (6, 0)
