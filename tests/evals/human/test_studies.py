"""Studies: what enters them, who judges, skipping, undoing, finishing."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from evals.human.actions import (
    Matching,
    Plan,
    Sides,
    StudyFinished,
    StudyOpen,
    finish_study,
    require_finished,
    start_study,
)
from evals.human.models import Item, Rating, Slot, Study
from evals.human.progress import own_progress, progress_of
from evals.human.rating import NothingToUndo, Said, TakenByAnother, rate, skip, undo
from evals.human.sampling import NothingToRate
from evals.human.showing import asked_about, pieces_of
from evals.human.taking import take, work_for
from evals.models import Cell
from requests_log.datasets.models import Content, Example
from tests.conftest import Cast
from tests.curate.factories import make_dataset, make_request
from tests.evals.factories import NOON
from tests.evals.human.factories import (
    ALL_ANSWERED,
    EVERY_KIND,
    judge,
    make_answered,
    make_form,
    make_rating_study,
    make_side_by_side,
)
from workbench.core.errors import InvalidInput, NotAllowed

LEFT = Said(choice="left")


def test_the_same_seed_draws_the_same_items_sides_and_order(cast: Cast) -> None:
    comparison = make_answered(cast.project, rows=12)

    def drawn(seed: int) -> list[tuple[int | None, int | None]]:
        study = start_study(
            cast.project, name="One", of=Sides(comparison), form=None, by=None, at=NOON,
            plan=Plan(items=8, seed=seed),
        )  # fmt: skip
        return list(study.items.order_by("position").values_list("row", "left"))

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    assert len(drawn(1)) == 8


def test_each_candidate_stands_on_either_side(cast: Cast) -> None:
    study = make_side_by_side(cast.project, rows=40)

    lefts = Counter(study.items.values_list("left__label", flat=True))

    assert set(lefts) == {"student", "teacher"}
    assert min(lefts.values()) > 8


def test_rows_that_a_candidate_failed_at_are_left_out(cast: Cast) -> None:
    comparison = make_answered(cast.project, rows=4)
    Cell.objects.filter(candidate__label="student", position__lt=3).update(score=None, error="No.")

    study = start_study(
        cast.project, name="One", of=Sides(comparison), form=None, plan=Plan(), by=None, at=NOON
    )

    assert list(study.items.values_list("row", flat=True)) == [3]


def test_a_rating_study_has_every_chosen_candidate_on_the_same_rows(cast: Cast) -> None:
    study = make_rating_study(cast.project, items=4)

    rows = sorted(study.items.values_list("row", "group"))

    assert len(rows) == 4
    assert len({row for row, _ in rows}) == 2
    assert Counter(group for _, group in rows) == {"student": 2, "teacher": 2}


def test_logged_requests_are_chosen_by_a_query_and_grouped_by_model(cast: Cast) -> None:
    make_request(cast.project, model="a", tags={"route": "checkout"})
    make_request(cast.project, model="b", tags={"route": "checkout"})
    make_request(cast.project, model="b")
    make_request(cast.project, status="error", answer=None, tags={"route": "checkout"})
    form = make_form(cast.project)

    study = start_study(
        cast.project, name="Checkout", of=Matching("tag.route:checkout"), form=form, plan=Plan(),
        by=None, at=NOON,
    )  # fmt: skip
    (shown, _) = work_for(study, by=cast.alice)

    assert sorted(study.items.values_list("group", flat=True)) == ["a", "b"]
    assert shown.question[-1]["content"] == "What is 2+2?"
    assert shown.answers[0]["content"] == "4"


def test_examples_of_a_dataset_can_be_rated_until_they_are_erased(cast: Cast) -> None:
    dataset = make_dataset(cast.project, rows=2)
    study = start_study(
        cast.project, name="Examples", of=dataset, form=make_form(cast.project), plan=Plan(),
        by=None, at=NOON,
    )  # fmt: skip
    gone = study.items.order_by("position").values_list("content", flat=True)[0]

    Example.objects.filter(content=gone).delete()
    Content.objects.filter(pk=gone).delete()

    (only,) = work_for(study, by=cast.alice)
    assert only.slot.position == 1


@pytest.mark.parametrize(
    ("plan", "sentence"),
    [
        ({"per_item": 4}, "there are 2"),
        ({"items": 0}, "1 to 2,000 items"),
        ({"per_rater": 0}, "at least one"),
    ],
)
def test_a_plan_that_cannot_be_kept_is_refused(
    cast: Cast, plan: dict[str, int], sentence: str
) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        make_side_by_side(cast.project, **plan)

    assert not Study.objects.exists()


def test_a_study_of_nothing_is_refused_with_a_sentence(cast: Cast) -> None:
    with pytest.raises(NothingToRate, match="Change the query"):
        start_study(
            cast.project, name="None", of=Matching("model:nobody"), form=make_form(cast.project),
            plan=Plan(), by=None, at=NOON,
        )  # fmt: skip


def test_side_by_side_needs_two_candidates(cast: Cast) -> None:
    comparison = make_answered(cast.project)

    with pytest.raises(InvalidInput, match="exactly two"):
        start_study(
            cast.project, name="One", of=Sides(comparison, ["student"]), form=None, plan=Plan(),
            by=None, at=NOON,
        )  # fmt: skip


def test_everybody_means_editors_and_viewers_rate_only_when_chosen(cast: Cast) -> None:
    for_all = make_side_by_side(cast.project)
    chosen = make_rating_study(cast.project, raters=[cast.victor])

    judge(for_all, cast.bob, LEFT)
    judge(chosen, cast.victor, Said({"helpful": 3}))

    with pytest.raises(NotAllowed, match="not one of the raters"):
        judge(for_all, cast.victor, LEFT)
    with pytest.raises(NotAllowed, match="not one of the raters"):
        judge(chosen, cast.alice, Said({"helpful": 3}))


def test_a_slot_is_held_by_one_person_and_given_to_another_when_the_hold_ran_out(
    cast: Cast,
) -> None:
    study = make_side_by_side(cast.project, rows=2)
    mine = take(study, by=cast.alice)

    assert take(study, by=cast.bob) == []

    Slot.objects.filter(pk=mine[0].pk).update(lease_until=NOON - timedelta(days=365))
    (theirs,) = take(study, by=cast.bob, ahead=1)
    assert theirs.pk == mine[0].pk
    with pytest.raises(TakenByAnother, match="ran out"):
        rate(mine[0], LEFT, by=cast.alice, at=NOON)


def test_with_two_people_an_item_nobody_judges_the_same_one_twice(cast: Cast) -> None:
    study = make_side_by_side(cast.project, rows=3, per_item=2)

    judge(study, cast.alice, LEFT, LEFT, LEFT)

    assert take(study, by=cast.alice) == []
    assert len({slot.item_id for slot in take(study, by=cast.bob, ahead=3)}) == 3


def test_a_rater_gets_at_most_so_many(cast: Cast) -> None:
    study = make_side_by_side(cast.project, rows=6, per_rater=2)

    assert own_progress(study, by=cast.alice).left == 2
    judge(study, cast.alice, LEFT, LEFT)

    assert take(study, by=cast.alice) == []
    assert own_progress(study, by=cast.alice).left == 0
    assert len(take(study, by=cast.bob)) == 2


def test_what_is_skipped_goes_to_others_only_and_undo_takes_it_back(cast: Cast) -> None:
    study = make_side_by_side(cast.project, rows=1)
    (slot,) = take(study, by=cast.alice)

    skip(slot, by=cast.alice, at=NOON)
    assert take(study, by=cast.alice) == []

    undo(study, by=cast.alice, at=NOON)
    assert [one.pk for one in take(study, by=cast.alice)] == [slot.pk]


def test_undo_gives_the_item_back_and_the_rating_no_longer_counts(cast: Cast) -> None:
    study = make_side_by_side(cast.project, rows=2)
    judge(study, cast.alice, LEFT)

    undo(study, by=cast.alice, at=NOON)

    assert progress_of(study).done == 0
    judge(study, cast.alice, Said(choice="right"))
    given = Rating.objects.of_study(study).given()
    assert list(given.values_list("choice", flat=True)) == ["right"]
    undo(study, by=cast.alice, at=NOON)
    with pytest.raises(NothingToUndo, match="nothing of yours"):
        undo(study, by=cast.alice, at=NOON)


def test_undo_is_refused_once_somebody_took_the_skipped_item(cast: Cast) -> None:
    study = make_side_by_side(cast.project, rows=1)
    (slot,) = take(study, by=cast.alice)
    skip(slot, by=cast.alice, at=NOON)
    take(study, by=cast.bob)

    with pytest.raises(TakenByAnother, match="Somebody else took it"):
        undo(study, by=cast.alice, at=NOON)


def test_both_bad_is_a_choice_only_where_it_is_offered(cast: Cast) -> None:
    without = make_side_by_side(cast.project)
    with pytest.raises(InvalidInput, match="Choose one of left, right, tie"):
        judge(without, cast.alice, Said(choice="both_bad"))


def test_answers_are_checked_against_the_forms_version_of_the_study(cast: Cast) -> None:
    study = make_rating_study(cast.project, EVERY_KIND)

    judge(study, cast.alice, Said(ALL_ANSWERED, comment=" Well done. "))
    with pytest.raises(InvalidInput, match="not answered yet"):
        judge(study, cast.alice, Said({"helpful": 4}))

    (rating,) = Rating.objects.of_study(study)
    assert rating.answers == ALL_ANSWERED
    assert rating.comment == "Well done."


def test_a_finished_study_takes_no_more_and_an_open_one_tells_nothing(cast: Cast) -> None:
    study = make_side_by_side(cast.project, rows=2)
    (slot, _) = take(study, by=cast.alice)
    with pytest.raises(StudyOpen, match="stay blind"):
        require_finished(study)

    finished = finish_study(study, at=NOON)

    require_finished(finished)
    assert take(finished, by=cast.alice) == []
    with pytest.raises(StudyFinished):
        rate(slot, LEFT, by=cast.alice, at=NOON)
    with pytest.raises(StudyFinished):
        undo(study, by=cast.alice, at=NOON)


def test_messages_of_the_assistant_are_asked_about_with_what_their_tools_answered() -> None:
    roles = ("system", "user", "assistant", "tool", "user", "assistant")
    messages = [{"role": role, "content": str(n)} for n, role in enumerate(roles)]

    pieces = pieces_of(messages)

    assert asked_about(messages) == [2, 5]
    assert [piece.index for piece in pieces] == [2, 5]
    assert [[one["content"] for one in piece.messages] for piece in pieces] == [
        ["0", "1", "2", "3"],
        ["4", "5"],
    ]


def test_positions_tell_nothing_of_the_candidates_order(cast: Cast) -> None:
    study = make_rating_study(cast.project, rows=30, items=60)

    groups = [item.group for item in Item.objects.filter(study=study).order_by("position")]

    assert groups[::2] != ["student"] * 30
    assert len(set(groups[:30])) == 2
