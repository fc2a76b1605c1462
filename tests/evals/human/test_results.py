"""What a study found, as a file, and as scores."""

from __future__ import annotations

import csv
import json
from io import StringIO

import pytest

from evals.human.actions import Matching, Plan, finish_study, queue_scores, start_study
from evals.human.disputes import disputed
from evals.human.export import as_csv, as_json
from evals.human.models import Rating, Slot, Study
from evals.human.rating import Said, rate
from evals.human.results import StudyResults
from evals.human.scores import PREFERRED, answer_subject, write_scores
from evals.human.taking import take
from requests_log.models import LoggedScore
from tests.conftest import Cast
from tests.curate.factories import make_request
from tests.evals.factories import NOON
from tests.evals.human.factories import (
    ALL_ANSWERED,
    EVERY_KIND,
    judge,
    make_form,
    make_rating_study,
    make_side_by_side,
)
from workbench.core.models import Job, User


def prefer(study: Study, by: User, label: str, *, but: int = 0) -> None:
    """The person prefers a candidate wherever it stands, but for some ties."""
    for n in range(study.items.count()):
        (slot,) = take(study, by=by, ahead=1)
        side = "left" if slot.item.left and slot.item.left.label == label else "right"
        rate(slot, Said(choice="tie" if n < but else side), by=by, at=NOON)


def rate_groups(study: Study, by: User, stars: dict[str, int]) -> None:
    """The person gives every answer of a candidate the same stars."""
    while slots := take(study, by=by, ahead=1):
        rate(slots[0], Said({"helpful": stars[slots[0].item.group]}), by=by, at=NOON)


def silent(done: int, total: int) -> None:
    """Progress nobody looks at."""


def test_a_candidate_that_is_preferred_wins_whichever_side_it_stood_on(cast: Cast) -> None:
    study = make_side_by_side(cast.project, rows=8)
    prefer(study, cast.alice, "teacher", but=2)

    results = StudyResults(study)

    student, teacher = results.sides
    assert (teacher.wins, teacher.losses, results.ties) == (6, 0, 2)
    assert teacher.rate.mean == pytest.approx(7 / 8)
    assert student.rate.mean == pytest.approx(1 / 8)
    assert teacher.rate.low > 0.5


def test_each_item_counts_once_however_many_judged_it(cast: Cast) -> None:
    study = make_side_by_side(cast.project, rows=4, per_item=2)
    prefer(study, cast.alice, "teacher")
    prefer(study, cast.bob, "student")

    student, teacher = StudyResults(study).sides

    assert teacher.rate.n == student.rate.n == 4
    assert teacher.rate.mean == student.rate.mean == 0.5
    assert (teacher.rate.low, teacher.rate.high) == (0.5, 0.5)


def test_agreement_is_on_the_candidate_and_not_on_the_side(cast: Cast) -> None:
    study = make_side_by_side(cast.project, rows=8, per_item=2)
    prefer(study, cast.alice, "teacher", but=2)
    prefer(study, cast.bob, "teacher", but=2)

    found, (pair,) = StudyResults(study).preference

    assert (found.units, found.share, found.alpha) == (8, 1, 1)
    assert pair.found.kappa == 1
    assert disputed(StudyResults(study)) == []


def test_whoever_always_chooses_one_side_is_said_to_lean(cast: Cast) -> None:
    study = make_side_by_side(cast.project, rows=20, per_item=2)
    judge(study, cast.alice, *[Said(choice="left")] * 20)
    prefer(study, cast.bob, "teacher")

    leans = {one.progress.user: one.leans for one in StudyResults(study).raters}

    assert leans == {cast.alice: "left", cast.bob: ""}


def test_means_are_by_candidate_and_differences_are_paired_by_row(cast: Cast) -> None:
    study = make_rating_study(cast.project, rows=5, per_item=2)
    rate_groups(study, cast.alice, {"student": 3, "teacher": 5})
    rate_groups(study, cast.bob, {"student": 4, "teacher": 5})

    (field,) = StudyResults(study).fields
    student, teacher = field.groups

    assert (student.label, teacher.label) == ("student", "teacher")
    assert student.mean is not None
    assert student.mean.mean == 3.5
    assert student.mean.n == 5
    assert student.counts == [("1", 0), ("2", 0), ("3", 5), ("4", 5), ("5", 0)]
    assert student.difference is None
    assert teacher.difference is not None
    assert teacher.difference.mean == 1.5


def test_items_are_disputed_in_the_order_of_how_far_apart_raters_are(cast: Cast) -> None:
    study = make_rating_study(cast.project, rows=3, labels=["student"], per_item=2)
    for by, stars in ((cast.alice, (1, 3, 5)), (cast.bob, (5, 3, 4))):
        judge(study, by, *[Said({"helpful": n}) for n in stars])

    found = disputed(StudyResults(study))

    assert [(one.position, one.apart) for one in found] == [(0, 1.0), (2, 0.25)]
    assert found[0].said == "Helpful?: 1 · 5"


def test_the_files_hold_results_and_every_rating(cast: Cast) -> None:
    study = make_rating_study(cast.project, EVERY_KIND, rows=2, labels=["teacher"])
    said = Said({**ALL_ANSWERED, "better": "=1+1"}, comment="Fine")
    judge(study, cast.alice, said, said)

    whole = json.loads(as_json(study))
    lines = list(csv.DictReader(StringIO("".join(as_csv(study)))))

    assert [field["key"] for field in whole["questions"]] == [field["key"] for field in EVERY_KIND]
    assert whole["items"][0]["answers"]["faults"] == ["Not true"]
    assert lines[0]["group"] == "teacher"
    assert lines[0]["better"] == "'=1+1"
    assert lines[0]["faults"] == "Not true"
    assert [line["item"] for line in lines] == ["0", "1"]


def test_ratings_of_requests_become_their_scores_once(cast: Cast) -> None:
    request = make_request(cast.project)
    study = start_study(
        cast.project, name="Log", of=Matching(), form=make_form(cast.project, EVERY_KIND),
        plan=Plan(), by=None, at=NOON,
    )  # fmt: skip
    judge(study, cast.alice, Said(ALL_ANSWERED, comment="Fine"))

    assert write_scores(study, report=silent) == 6
    assert write_scores(study, report=silent) == 0

    scores = LoggedScore.objects.in_project(cast.project).of_request(request.id)
    values = {score.name: score.value for score in scores}
    assert values == {**ALL_ANSWERED, "faults": "Not true"}
    assert {score.author for score in scores} == {cast.alice.email}
    assert {score.origin for score in scores} == {"human"}
    assert [score.comment for score in scores if score.comment] == ["Fine"]


def test_preferences_become_scores_of_both_answers(cast: Cast) -> None:
    study = make_side_by_side(cast.project, rows=1)
    prefer(study, cast.alice, "teacher")
    assert study.comparison is not None

    write_scores(study, report=silent)

    scores = LoggedScore.objects.in_project(cast.project).filter(name=PREFERRED)
    by_answer = {score.trace_id: score.number for score in scores}
    assert by_answer == {
        answer_subject(study.comparison.pk, 0, 0): 0.0,
        answer_subject(study.comparison.pk, 0, 1): 1.0,
    }


def test_writing_scores_is_a_job_of_a_finished_study(cast: Cast) -> None:
    study = make_side_by_side(cast.project, rows=1)
    judge(study, cast.alice, Said(choice="tie"))

    queued = queue_scores(finish_study(study, at=NOON), by=cast.alice)

    assert queued.job is not None
    job = Job.objects.get(pk=queued.job.pk)
    assert job.payload == {"study": str(study.pk)}


def test_what_was_undone_is_in_no_result(cast: Cast) -> None:
    study = make_side_by_side(cast.project, rows=1)
    judge(study, cast.alice, Said(choice="tie"))
    Rating.objects.of_study(study).update(undone_at=NOON)
    Slot.objects.of_study(study).update(rated_at=None)

    assert StudyResults(study).judged == []
    assert StudyResults(study).sides == []
