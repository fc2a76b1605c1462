"""Rating forms: what may be asked and answered, and versions that never change."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, transaction

from evals.human.actions import FormUnchanged, save_form, save_form_version
from evals.human.fields import BadField, RatingField, read_answers, read_fields
from evals.human.models import RatingFormVersion
from tests.conftest import Cast
from tests.evals.human.factories import ALL_ANSWERED, EVERY_KIND, STARS, make_form
from workbench.core.errors import InvalidInput

FIELDS = read_fields(EVERY_KIND)


def one(**given: Any) -> RatingField:
    return read_fields([{"title": "Good?", **given}])[0]


def test_a_key_is_made_of_the_title_and_stays_when_it_is_given() -> None:
    fields = read_fields(
        [
            {"kind": "stars", "title": "How good?"},
            {"kind": "stars", "title": "How good!"},
            {"kind": "stars", "title": "5 stars", "key": "mine"},
            {"kind": "stars", "title": "5 stars"},
        ]
    )

    assert [field.key for field in fields] == ["how_good", "how_good_2", "mine", "field_5_stars"]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"kind": "smell"}, "the kind is one of"),
        ({"kind": "stars", "title": " "}, "title is a text"),
        ({"kind": "choice", "options": ["one"]}, "2 to 20 options"),
        ({"kind": "choice", "options": ["a", "a"]}, "two options are the same"),
        ({"kind": "number", "low": 5, "high": 5}, "below the highest"),
        ({"kind": "number", "low": "nan"}, "write a number"),
        ({"kind": "stars", "key": "No spaces"}, "a key has"),
    ],
)
def test_a_field_that_makes_no_sense_is_refused(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadField, match=sentence):
        one(**given)


def test_every_kind_is_answered_in_its_own_type() -> None:
    assert read_answers(FIELDS, ALL_ANSWERED, [1]) == ALL_ANSWERED


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("helpful", 6, "from 1 to 5"),
        ("helpful", 2.5, "whole number"),
        ("helpful", True, "write a number"),
        ("helpful", "", "not answered yet"),
        ("tone", "Loud", "choose from"),
        ("faults", ["Too long", "Ugly"], "choose from"),
        ("true", "perhaps", "yes or no"),
        ("sure", 101, "from 0 to 100"),
        ("better", "x" * 5000, "up to 4,000"),
        ("smell", 1, "no field “smell”"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused(key: str, value: Any, sentence: str) -> None:
    with pytest.raises(BadField, match=sentence):
        read_answers(FIELDS, {**ALL_ANSWERED, key: value}, [1])


def test_what_is_optional_may_be_left_open_and_is_left_out() -> None:
    answered = {**ALL_ANSWERED, "faults": [], "better": ""}

    assert set(read_answers(FIELDS, answered, [1])) == {"helpful", "tone", "true", "sure"}


def test_a_field_asked_per_message_is_answered_for_each_of_them() -> None:
    field = one(kind="yes_no", per_message=True)

    assert read_answers([field], {"good": {"1": "yes", "3": False}}, [1, 3]) == {
        "good": {"1": True, "3": False}
    }
    with pytest.raises(BadField, match="not answered yet"):
        read_answers([field], {"good": {"1": "yes"}}, [1, 3])
    with pytest.raises(BadField, match="message 2 is not asked about"):
        read_answers([field], {"good": {"1": "yes", "2": "no", "3": "no"}}, [1, 3])


def test_keys_of_a_scale_are_its_numbers() -> None:
    assert [option.shortcut for option in one(kind="stars").picks] == ["1", "2", "3", "4", "5"]
    tenths = one(kind="number", low=1, high=10).picks
    assert [option.shortcut for option in tenths][-2:] == ["9", "0"]
    with_zero = one(kind="number", low=0, high=10).picks
    assert [option.shortcut for option in with_zero][::10] == ["0", "-"]
    assert one(kind="number", low=0, high=100).picks == []


def test_a_saved_version_cannot_change_and_a_change_is_the_next_version(cast: Cast) -> None:
    first = make_form(cast.project)

    second = save_form_version(first.form, fields=EVERY_KIND, by=cast.alice)

    assert (first.number, second.number) == (1, 2)
    assert [field.key for field in second.questions][:2] == ["helpful", "tone"]
    with pytest.raises(IntegrityError, match="cannot change"), transaction.atomic():
        RatingFormVersion.objects.filter(pk=first.pk).update(fields=[])
    with pytest.raises(FormUnchanged, match="Helpfulness v2 asks the same"):
        save_form_version(first.form, fields=EVERY_KIND, by=cast.alice)


def test_two_forms_of_a_project_have_different_names(cast: Cast) -> None:
    make_form(cast.project, name="Tone")

    with pytest.raises(InvalidInput, match="of this name already"):
        save_form(cast.project, name="tone", fields=STARS, by=None)

    assert make_form(cast.other_project, name="Tone").number == 1
