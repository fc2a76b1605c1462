"""The pages of datasets."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from requests_log.datasets.actions import add_examples, freeze_version
from requests_log.datasets.charts import Bin, Share, label_balance, length_histogram
from requests_log.datasets.models import Dataset, DatasetVersion, Example
from requests_log.datasets.picking import add_requests
from requests_log.datasets.quality import quality_of
from requests_log.selection import Selection
from tests.conftest import Cast
from tests.curate.factories import NOON, make_dataset, make_request, make_requests, make_row
from tests.curate.test_log_pages import HOSTILE, client_of, text_of
from workbench.core.models import User


def pages(cast: Cast, path: str = "") -> str:
    return f"/p/{cast.project.slug}/datasets/{path}"


def test_without_datasets_the_page_leads_to_the_log(alice: Client, cast: Cast) -> None:
    assert "Open the log" in text_of(alice.get(pages(cast)))


def test_a_hundred_datasets_come_in_pages_and_are_found_by_words(alice: Client, cast: Cast) -> None:
    for number in range(60):
        make_dataset(cast.project, name=f"Set {number:02}")
    make_dataset(cast.project, name="Refunds at the counter")

    first = text_of(alice.get(pages(cast)))
    older = re.search(r'rel="next"[^>]*href="([^"]+)"', first)
    assert older is not None
    second = text_of(alice.get(pages(cast, older[1])))
    found = text_of(alice.get(pages(cast), {"q": "counter refund"}))
    nothing = text_of(alice.get(pages(cast), {"q": "nowhere"}))

    assert (first.count("data-row"), second.count("data-row")) == (50, 11)
    assert (found.count("data-row"), "Refunds at the counter" in found) == (1, True)
    assert "Nothing matches" in nothing
    assert "No datasets yet" not in nothing


def test_the_list_shows_counts_in_few_queries(alice: Client, cast: Cast) -> None:
    for number in range(12):
        make_dataset(cast.project, name=f"Set {number}", rows=2)

    with CaptureQueriesContext(connection) as queries:
        page = text_of(alice.get(pages(cast)))

    assert "Set 11" in page
    assert len(queries) <= 15


def test_a_dataset_is_made_by_form(alice: Client, cast: Cast) -> None:
    made = alice.post(pages(cast, "new/"), {"name": "Letters", "group_by": "prompt"})
    bad = alice.post(pages(cast, "new/"), {"name": "", "group_by": "prompt"})

    assert made.headers["Location"] == pages(cast, "letters/")
    assert bad.status_code == 422
    assert "This dataset is empty" in text_of(alice.get(pages(cast, "letters/")))
    seen = text_of(client_of(cast.victor).get(pages(cast, "letters/")))
    assert "This dataset is empty" in seen
    assert "letters/imports/" not in seen  # which a viewer may not open


def test_examples_are_listed_opened_and_removed(alice: Client, cast: Cast) -> None:
    dataset = make_dataset(cast.project, rows=3)
    example = Example.objects.in_dataset(dataset).newest_first()[0]
    path = pages(cast, f"answers/examples/{example.pk}/")

    assert "Question 2?" in text_of(alice.get(pages(cast, "answers/")))
    assert "Answer briefly." in text_of(alice.get(path))
    assert "inspector__head" in text_of(alice.get(path + "?part=inspector"))
    alice.post(pages(cast, "answers/remove/"), {"ids": [str(example.pk)]})
    assert Example.objects.in_dataset(dataset).count() == 2


def test_a_version_is_frozen_on_its_page(alice: Client, cast: Cast) -> None:
    make_dataset(cast.project, rows=20)

    alice.post(pages(cast, "answers/freeze/"), {"heldout": "20", "notes": "first try"})
    page = text_of(alice.get(pages(cast, "answers/versions/")))

    version = DatasetVersion.objects.get()
    assert version.heldout_percent == 20
    assert version.content_hash[:12] in page
    assert "first try" in page


def test_freezing_with_nonsense_is_told(alice: Client, cast: Cast) -> None:
    make_dataset(cast.project, rows=1)

    alice.post(pages(cast, "answers/freeze/"), {"heldout": "lots"})

    assert not DatasetVersion.objects.exists()


def test_the_quality_page_counts_what_is_there(alice: Client, cast: Cast) -> None:
    dataset = make_dataset(cast.project)
    add_examples(
        dataset,
        rows=[
            make_row("a", answer="yes"),
            make_row("A ", answer="no"),
            make_row("b", answer="yes"),
            make_row("long " * 100, answer="yes"),
        ],
    )

    quality = quality_of(dataset)
    page = text_of(alice.get(pages(cast, "answers/quality/")))

    assert (quality.examples, quality.groups, quality.repeated, quality.conflicts) == (4, 3, 1, 1)
    assert quality.labels == [Share("yes", 3), Share("no", 1)]
    assert sum(one.count for one in quality.bins) == 4
    assert "Conflicts" in page
    assert "lengths-figure" in page


def test_lengths_fall_into_bins_that_double(cast: Cast) -> None:
    dataset = make_dataset(cast.project)
    given = sum(len(message["content"]) for message in make_row("", answer="")["messages"])
    lengths = (32, 33, 64, 65, 100)
    add_examples(dataset, rows=[make_row("", answer="a" * (length - given)) for length in lengths])

    quality = quality_of(dataset)
    latest = quality_of(dataset, latest=1)

    assert quality.bins == [Bin(0, 32, 1), Bin(33, 64, 2), Bin(65, 128, 2)]
    assert (quality.longest, quality.conflicts, quality.groups) == (100, 1, 1)
    assert (latest.examples, latest.median_length) == (1, 100)


def test_prose_answers_get_no_label_chart(cast: Cast) -> None:
    dataset = make_dataset(cast.project)
    add_examples(dataset, rows=[make_row(str(n), answer="word " * 30) for n in range(3)])

    assert not quality_of(dataset).has_labels


def test_figures_are_plain_data() -> None:
    lengths = length_histogram([Bin(0, 16, 3), Bin(17, 32, 0)])
    labels = label_balance([Share("yes", 3), Share("no", 1)])

    assert lengths["data"][0]["y"] == [3, 0]
    assert labels["data"][0]["y"] == ["no", "yes"]


def test_the_log_adds_a_selection_to_a_new_dataset(alice: Client, cast: Cast) -> None:
    make_requests(cast.project, 3, tags={"keep": "yes"})
    make_request(cast.project, status="error", answer=None, tags={"keep": "yes"})
    form = {"name": "Kept", "all": "1", "q": "tag.keep:yes"}

    answer = alice.post(pages(cast, "add-selected/"), form, headers={"HX-Request": "true"})
    page = text_of(alice.get(f"/p/{cast.project.slug}/log/"))

    assert answer.headers["HX-Refresh"] == "true"
    assert Dataset.objects.get().examples.count() == 3
    assert "“Kept”: Added 3, 1 skipped (failed or cut off)." in page


def test_a_broken_query_makes_no_dataset(alice: Client, cast: Cast) -> None:
    make_request(cast.project)
    form = {"name": "Kept", "all": "1", "q": "modle:x"}

    alice.post(pages(cast, "add-selected/"), form)

    assert not Dataset.objects.exists()


@pytest.mark.parametrize("form", [{"name": "a\x00b"}, {"dataset": "a\x00b"}, {"q": "a\x00b"}])
def test_a_nul_is_refused(alice: Client, cast: Cast, form: dict[str, str]) -> None:
    make_request(cast.project)
    whole = {"name": "Kept", "all": "1"} | form
    if "dataset" in form:
        del whole["name"]

    answer = alice.post(pages(cast, "add-selected/"), whole, headers={"Accept": "application/json"})

    assert answer.status_code < 500
    assert not Example.objects.exists()


def test_a_request_says_which_datasets_and_versions_it_is_in(alice: Client, cast: Cast) -> None:
    dataset = make_dataset(cast.project)
    row = make_request(cast.project)
    other = make_request(cast.project, question="other")
    add_requests(dataset, selection=Selection(at=NOON, ids=(row.id,)), by=None, at=NOON)
    freeze_version(dataset, by=None, at=NOON)

    here = text_of(alice.get(pages(cast, f"of-request/{row.id}/")))

    assert "Answers" in here
    assert "Answers v1" in here
    assert "In no dataset" in text_of(alice.get(pages(cast, f"of-request/{other.id}/")))


def test_the_dialog_offers_the_datasets_there_are(alice: Client, cast: Cast) -> None:
    assert "required" in text_of(alice.get(pages(cast, "pick/")))
    make_dataset(cast.project, rows=2)

    assert "Answers (2)" in text_of(alice.get(pages(cast, "pick/")))


def test_hostile_examples_are_shown_as_text(alice: Client, cast: Cast) -> None:
    dataset = make_dataset(cast.project, name="Nasty <b>name</b>")
    add_examples(dataset, rows=[make_row(HOSTILE, answer=HOSTILE[:38])])
    example = Example.objects.get()

    for path in (
        "",
        "quality/",
        f"examples/{example.pk}/",
        f"examples/{example.pk}/?part=inspector",
    ):
        shown = text_of(alice.get(pages(cast, f"{dataset.slug}/{path}")))
        assert "<script>alert" not in shown
        assert "<b>name" not in shown


def _attempts(user: User, cast: Cast) -> list[Any]:
    client = client_of(user)
    row = make_request(cast.project)
    return [
        client.post(pages(cast, "new/"), {"name": "No", "group_by": "prompt"}),
        client.post(pages(cast, "answers/freeze/"), {"heldout": "10"}),
        client.post(pages(cast, "answers/remove/"), {"ids": [str(Example.objects.all()[0].pk)]}),
        client.post(pages(cast, "add-selected/"), {"dataset": "answers", "ids": [str(row.id)]}),
    ]


def test_a_viewer_changes_nothing(cast: Cast) -> None:
    make_dataset(cast.project, rows=2)

    answers = _attempts(cast.victor, cast)

    assert all(answer.status_code in (302, 403) for answer in answers)
    assert Dataset.objects.count() == 1
    assert Example.objects.count() == 2
    assert not DatasetVersion.objects.exists()


def test_a_stranger_finds_nothing(cast: Cast) -> None:
    make_dataset(cast.project, rows=2)
    charlie = client_of(cast.charlie)

    assert all(answer.status_code == 404 for answer in _attempts(cast.charlie, cast))
    for path in ("", "answers/", "answers/versions/", "answers/quality/"):
        assert charlie.get(pages(cast, path)).status_code == 404


def test_another_projects_dataset_is_not_there(alice: Client, cast: Cast) -> None:
    make_dataset(cast.other_project, name="Secret", rows=1)

    for path in ("secret/", "secret/versions/", "secret/quality/"):
        assert alice.get(pages(cast, path)).status_code == 404
