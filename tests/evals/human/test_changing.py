"""Raters who come and go, who would look behind the names, and studies that are put away."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from evals.human.actions import StudyFinished, StudyOpen, finish_study
from evals.human.changing import archive_study, choose_raters, step_back
from evals.human.models import Rating, Slot, Study
from evals.human.raters import may_rate
from evals.human.rating import Said
from evals.human.taking import take
from tests.conftest import Cast
from tests.evals.factories import NOON
from tests.evals.human.factories import judge, make_side_by_side
from workbench.core.errors import InvalidInput


def text_of(answer: Any) -> str:
    return str(answer.content.decode())


def test_a_rater_who_goes_leaves_what_was_said_and_gives_back_what_was_held(cast: Cast) -> None:
    study = make_side_by_side(cast.project)
    judge(study, cast.bob, Said(choice="left"))
    take(study, by=cast.bob)

    choose_raters(study, raters=[cast.alice, cast.victor])

    study.refresh_from_db()
    assert not may_rate(study, cast.bob)
    assert may_rate(study, cast.victor)
    assert Rating.objects.of_study(study).given().count() == 1
    assert not Slot.objects.of_study(study).filter(held_by=cast.bob, rated_at=None).exists()


def test_too_few_raters_and_a_finished_study_are_refused(cast: Cast) -> None:
    study = make_side_by_side(cast.project, per_item=2)

    with pytest.raises(InvalidInput, match="judged by 2 people"):
        choose_raters(study, raters=[cast.alice])
    study.refresh_from_db()
    assert study.everybody
    finish_study(study, at=NOON)
    with pytest.raises(StudyFinished):
        choose_raters(study, raters=[cast.alice, cast.bob])


def test_raters_are_changed_on_the_page_of_the_study(alice: Client, cast: Cast) -> None:
    study = make_side_by_side(cast.project, per_item=2)
    at = f"/p/support/evals/human/{study.pk}/"

    refused = alice.post(f"{at}raters/", {"raters": [cast.victor.pk]})
    changed = alice.post(f"{at}raters/", {"raters": [cast.victor.pk, cast.bob.pk]}, follow=True)

    assert refused.status_code == 422
    assert "Each item is to be judged by 2 people" in text_of(refused)
    assert "The raters are changed." in text_of(changed)
    study.refresh_from_db()
    assert set(study.raters.all()) == {cast.victor, cast.bob}


PAGES = ("", "live/", "slices/", "rows/0/", "report.html", "report.json", "pairs/")


@pytest.mark.parametrize("page", PAGES)
def test_raters_do_not_see_whose_answers_they_are_meanwhile(
    alice: Client, cast: Cast, client: Client, page: str
) -> None:
    study = make_side_by_side(cast.project)
    at = f"/p/support/evals/{study.comparison_id}/{page}"
    client.force_login(cast.victor)

    assert client.get(at).status_code in (200, 286)  # a viewer is no rater
    answer = alice.get(at)
    assert answer.status_code == 403
    assert "You rate these answers blind" in text_of(answer)
    assert "teacher" not in text_of(answer)
    finish_study(study, at=NOON)
    assert alice.get(at).status_code in (200, 286)


def test_whoever_steps_back_may_look_and_never_rates_again(alice: Client, cast: Cast) -> None:
    study = make_side_by_side(cast.project)

    answer = alice.post(f"/p/support/evals/human/{study.pk}/step-back/", follow=True)

    assert answer.status_code == 200
    assert "teacher" in text_of(answer)
    assert not may_rate(study, cast.alice)
    assert "stepped back to look: Alice" in text_of(
        alice.get(f"/p/support/evals/human/{study.pk}/")
    )
    with pytest.raises(InvalidInput, match="cannot rate blind any more"):
        choose_raters(study, raters=[cast.alice])


def test_what_was_held_by_who_steps_back_goes_to_others(cast: Cast) -> None:
    study = make_side_by_side(cast.project, rows=1)
    take(study, by=cast.alice)

    step_back(study, user=cast.alice)

    assert [slot.held_by for slot in Slot.objects.of_study(study)] == [None]


def test_a_finished_study_is_put_away_and_taken_up_again(alice: Client, cast: Cast) -> None:
    study = make_side_by_side(cast.project)
    with pytest.raises(StudyOpen, match="Finish the study first"):
        archive_study(study, at=NOON)
    finish_study(study, at=NOON)

    alice.post(f"/p/support/evals/human/{study.pk}/archive/")

    row = f'id="row-{study.pk}"'
    assert row not in text_of(alice.get("/p/support/evals/human/"))
    assert row in text_of(alice.get("/p/support/evals/human/?archived"))
    alice.post(f"/p/support/evals/human/{study.pk}/archive/")
    assert row in text_of(alice.get("/p/support/evals/human/"))


def test_a_study_is_deleted_with_what_was_said_and_its_comparison_stays(
    alice: Client, cast: Cast
) -> None:
    study = make_side_by_side(cast.project)
    judge(study, cast.bob, Said(choice="left"))

    answer = alice.post(f"/p/support/evals/human/{study.pk}/delete/", follow=True)

    assert "is gone" in text_of(answer)
    assert not Study.objects.exists()
    assert not Rating.objects.exists()
    assert study.comparison is not None
    assert alice.get(f"/p/support/evals/{study.comparison.pk}/").status_code == 200


def test_the_api_changes_raters_archives_and_deletes(api: Client, cast: Cast) -> None:
    study = make_side_by_side(cast.project)
    at = f"/api/v1/studies/{study.pk}"
    body = {"raters": [cast.victor.email]}

    changed = api.post(f"{at}/raters", body, content_type="application/json")
    chosen = list(study.raters.all())
    early = api.post(f"{at}/archive")
    finish_study(study, at=NOON)
    archived = api.post(f"{at}/archive")
    again = api.post(f"{at}/unarchive")
    gone = api.delete(at)

    assert changed.status_code == 200
    assert chosen == [cast.victor]
    assert (early.status_code, early.json()["error"]["code"]) == (409, "study_open")
    assert archived.json()["archived_at"] is not None
    assert again.json()["archived_at"] is None
    assert gone.status_code == 204
    assert not Study.objects.exists()
