"""The pages of studies and rating forms."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from evals.human.actions import finish_study
from evals.human.models import Rating, RatingForm, Study
from evals.human.rating import Said
from tests.conftest import Cast
from tests.evals.factories import HOSTILE, NOON
from tests.evals.human.factories import (
    ALL_ANSWERED,
    EVERY_KIND,
    judge,
    make_answered,
    make_form,
    make_rating_study,
    make_side_by_side,
)
from workbench.core.models import User

NAMES = ("student", "teacher", "Who knows more", "local/")
"""What would tell a rater whose answer it is: labels, model refs, the comparison."""


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def url(cast: Cast, name: str, *args: object) -> str:
    return reverse(f"human:{name}", args=[cast.project.slug, *args])


def text_of(answer: Any) -> str:
    return str(answer.content.decode())


def editor(*fields: dict[str, str]) -> dict[str, str]:
    return {
        f"f{n}-{name}": value for n, field in enumerate(fields) for name, value in field.items()
    }


def test_the_two_kinds_of_evaluation_are_tabs_of_one_place(alice: Client, cast: Cast) -> None:
    for page in (reverse("evals:list", args=[cast.project.slug]), url(cast, "list")):
        found = text_of(alice.get(page))

        assert f'href="{url(cast, "list")}"' in found
        assert "Comparisons" in found


def test_a_study_is_started_on_its_page(alice: Client, cast: Cast) -> None:
    comparison = make_answered(cast.project)
    page = text_of(alice.get(url(cast, "new"), {"comparison": str(comparison.pk)}))
    assert 'value="student"' in page

    asked = {
        "kind": "side_by_side", "source": "comparison", "comparison": str(comparison.pk),
        "labels": ["student", "teacher"], "items": "4", "per_item": "2", "both_bad": "on",
        "raters": [cast.bob.pk, cast.victor.pk], "instructions": "Be fair.",
    }  # fmt: skip
    answer = alice.post(url(cast, "new"), asked)

    study = Study.objects.get()
    assert answer["Location"] == url(cast, "study", study.pk)
    assert study.items.count() == 4
    assert set(study.raters.all()) == {cast.bob, cast.victor}
    assert study.both_bad
    assert not any(name in study.name for name in NAMES)


def test_a_form_that_is_filled_in_wrongly_says_so_and_keeps_what_was_typed(
    alice: Client, cast: Cast
) -> None:
    comparison = make_answered(cast.project)
    asked = {
        "kind": "side_by_side", "source": "comparison", "comparison": str(comparison.pk),
        "labels": ["student"], "items": "4", "per_item": "1", "name": "Mine",
    }  # fmt: skip

    answer = alice.post(url(cast, "new"), asked)

    assert answer.status_code == 422
    assert "exactly two candidates" in text_of(answer)
    assert 'value="Mine"' in text_of(answer)


@pytest.mark.parametrize("source", ["log", "dataset", "comparison"])
def test_the_form_shows_what_belongs_to_the_source(alice: Client, cast: Cast, source: str) -> None:
    make_form(cast.project)
    make_answered(cast.project)

    page = text_of(alice.get(url(cast, "new"), {"kind": "rating", "source": source}))

    assert ('name="query"' in page) == (source == "log")
    assert ('name="comparison"' in page) == (source == "comparison")
    assert 'name="form"' in page


def test_no_page_of_an_open_study_tells_whose_answers_they_are(alice: Client, cast: Cast) -> None:
    study = make_side_by_side(cast.project)
    rating = make_rating_study(
        cast.project, EVERY_KIND, rows=3
    )  # its comparison has the same name and candidates
    judge(study, cast.bob, Said(choice="left", comment="Bob's own words"))

    pages = [
        alice.get(url(cast, name, one.pk)) for one in (study, rating) for name in ("study", "rate")
    ] + [alice.get(url(cast, "list"))]
    parts = [alice.post(url(cast, "next", one.pk)) for one in (study, rating)]

    for answer in [*pages, *parts]:
        body = text_of(answer) + str(dict(answer.headers))
        assert answer.status_code == 200
        assert [name for name in (*NAMES, "Bob's own words") if name in body] == []
    assert "Short answer" in text_of(parts[0])
    assert "Longer answer" in text_of(parts[0])


def test_results_items_and_files_are_closed_until_the_study_is_finished(
    alice: Client, cast: Cast
) -> None:
    study = make_side_by_side(cast.project)
    judge(study, cast.bob, Said(choice="left", comment="Bob's own words"))

    for name, args in (("item", (0,)), ("json", ()), ("csv", ())):
        answer = alice.get(url(cast, name, study.pk, *args))

        assert answer.status_code == 409
        assert "stay blind" in text_of(answer)
        assert [one for one in (*NAMES, "Bob's own words") if one in text_of(answer)] == []
    refused = alice.post(url(cast, "scores", study.pk), headers={"HX-Request": "true"})
    assert "stay blind" in refused["HX-Trigger"]


def test_a_finished_study_shows_names_win_rates_and_what_was_said(
    alice: Client, cast: Cast
) -> None:
    study = make_side_by_side(cast.project, rows=2, per_item=2)
    judge(study, cast.alice, Said(choice="left", comment="Because."), Said(choice="tie"))
    judge(study, cast.bob, Said(choice="right"), Said(choice="tie"))
    alice.post(url(cast, "finish", study.pk))

    page = text_of(alice.get(url(cast, "study", study.pk)))
    item = text_of(alice.get(url(cast, "item", study.pk, 0), {"part": "inspector"}))

    assert "teacher" in page
    assert '"error_x"' in page
    assert "Krippendorff" in page
    assert "Item 1" in page
    assert "Because." in item
    assert "student" in item
    assert alice.get(url(cast, "rate", study.pk))["Location"] == url(cast, "study", study.pk)
    for name in ("json", "csv"):
        file = alice.get(url(cast, name, study.pk))
        assert "which-is-better" in file["Content-Disposition"]
        assert b"Because." in b"".join(file)


def test_results_of_every_kind_of_field_are_shown(alice: Client, cast: Cast) -> None:
    study = make_rating_study(cast.project, EVERY_KIND, rows=3, per_item=2)
    for by in (cast.alice, cast.bob):
        judge(study, by, *[Said(ALL_ANSWERED)] * 6)
    finish_study(study, at=NOON)

    page = text_of(alice.get(url(cast, "study", study.pk)))

    for field in EVERY_KIND:
        assert field["title"] in page
    assert "4.00" in page
    assert page.count('data-chart="counts-') == 4


def test_only_raters_rate_and_strangers_see_nothing(cast: Cast) -> None:
    study = make_side_by_side(cast.project, raters=[cast.victor])

    assert client_of(cast.victor).get(url(cast, "rate", study.pk)).status_code == 200
    assert client_of(cast.bob).get(url(cast, "rate", study.pk)).status_code == 403
    refused = client_of(cast.bob).post(url(cast, "next", study.pk), headers={"HX-Request": "true"})
    assert "not one of the raters" in refused["HX-Trigger"]
    assert client_of(cast.charlie).get(url(cast, "study", study.pk)).status_code == 404


def test_a_rating_is_given_by_a_form_and_undone_with_what_was_said(
    alice: Client, cast: Cast
) -> None:
    per_message = {"key": "each", "kind": "labels", "title": "Each", "options": ["a", "b"],
                   "per_message": True}  # fmt: skip
    study = make_rating_study(cast.project, [*EVERY_KIND, per_message])
    slot = alice.post(url(cast, "next", study.pk))["Stillhouse-Slot"]

    answer = alice.post(
        url(cast, "submit", study.pk),
        {"slot": slot, "a.helpful": "4", "a.tone": "Rude", "a.faults": ["Too long", "Not true"],
         "a.true": "no", "a.sure": "55", "a.each.1": ["b"], "comment": "Well."},
    )  # fmt: skip

    rating = Rating.objects.get()
    assert rating.answers == {
        "helpful": 4.0, "tone": "Rude", "faults": ["Too long", "Not true"], "true": False,
        "sure": 55.0, "each": {"1": ["b"]},
    }  # fmt: skip
    assert answer["Stillhouse-Slot"] not in ("", slot)
    undone = alice.post(url(cast, "undo", study.pk))
    assert undone["Stillhouse-Slot"] == slot
    assert 'value="Rude" checked' in text_of(undone)
    assert 'name="a.each.1" value="b" checked' in text_of(undone)
    assert "Well." in text_of(undone)


def test_what_models_and_raters_wrote_is_text_and_nothing_else(alice: Client, cast: Cast) -> None:
    form = make_form(
        cast.project, [{"kind": "choice", "title": HOSTILE[:80], "options": [HOSTILE[:60], "b"]}]
    )
    study = make_side_by_side(cast.project, rows=1, per_item=2, instructions=HOSTILE)
    judge(study, cast.alice, Said(choice="left", comment=HOSTILE))
    judge(study, cast.bob, Said(choice="right"))
    finish_study(study, at=NOON)

    for page in (
        url(cast, "form", form.form_id),
        url(cast, "edit-form", form.form_id),
        url(cast, "study", study.pk),
        url(cast, "item", study.pk, 0),
    ):
        assert "<script>alert" not in text_of(alice.get(page))


def test_fields_are_added_moved_and_removed_before_a_form_is_saved(
    alice: Client, cast: Cast
) -> None:
    first, second = {"kind": "stars", "title": "One"}, {"kind": "number", "title": "Two"}
    new = url(cast, "new-form")

    added = text_of(alice.post(new, editor(first, second) | {"op": "add"}))
    moved = text_of(alice.post(new, editor(first, second) | {"op": "down-0"}))
    removed = text_of(alice.post(new, editor(first, second) | {"op": "remove-0"}))

    assert 'name="f2-title"' in added
    assert moved.index('value="Two"') < moved.index('value="One"')
    assert 'value="One"' not in removed
    assert not RatingForm.objects.exists()


def test_a_form_is_saved_shown_and_changed_as_its_next_version(alice: Client, cast: Cast) -> None:
    fields = editor({"kind": "stars", "title": "One", "required": "on"})
    saved = alice.post(url(cast, "new-form"), fields | {"name": "Quality"})
    form = RatingForm.objects.get()
    edit = url(cast, "edit-form", form.pk)

    changed = alice.post(edit, editor({"kind": "stars", "title": "First", "key": "one"}))
    same = alice.post(edit, editor({"kind": "stars", "title": "First", "key": "one"}))

    assert saved["Location"] == changed["Location"] == url(cast, "form", form.pk)
    assert [one.number for one in form.versions.newest_first()] == [2, 1]
    assert same.status_code == 422
    assert "asks the same" in text_of(same)
    page = text_of(alice.get(url(cast, "form", form.pk), {"version": "1"}))
    assert "version 1" in page
    assert "One" in page


def test_the_preview_says_what_is_missing(alice: Client, cast: Cast) -> None:
    good = alice.post(url(cast, "preview"), editor({"kind": "yes_no", "title": "True?"}))
    bad = alice.post(url(cast, "preview"), editor({"kind": "choice", "title": "Which?"}))

    assert 'value="yes"' in text_of(good)
    assert "2 to 20 options" in text_of(bad)
