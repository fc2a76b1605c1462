"""Monitors grade live calls by the clock, each once, and tell when answers get worse."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from evals.graders.code import why_off
from evals.online.actions import MonitorSpec, change_monitor, create_monitor, run_now, start_due
from evals.online.models import Alert, Measurement, Monitor
from requests_log.feedback.correcting import correct_answer, read_answer
from requests_log.models import LoggedScore
from tests.conftest import Cast
from tests.curate.factories import MORNING, make_request
from workbench.core.models import Job, Project
from workbench.core.queue import perform
from workbench.core.timetable import look_for_due

JSON = {"type": "object", "required": ["label"]}
HOUR = timedelta(hours=1)
pytestmark = pytest.mark.django_db


def make_monitor(project: Project, **fields: Any) -> Monitor:
    values: dict[str, Any] = {
        "name": "Valid JSON", "grader": "json_schema", "grader_settings": {"schema": JSON},
        "sample_percent": 100,
    }  # fmt: skip
    spec = MonitorSpec(**values | fields)
    return create_monitor(project, spec=spec, by=None, at=MORNING)


def ran(monitor: Monitor, *, at: datetime) -> Job:
    monitor.refresh_from_db()
    job = run_now(monitor, by=None, at=at)
    perform(job.pk, holder="test")
    job.refresh_from_db()
    assert job.state == Job.State.SUCCEEDED, job.error
    return job


def measured(monitor: Monitor) -> None:
    """Three in four were right, and somebody is to be told."""
    Measurement.objects.create(
        monitor=monitor, since=MORNING, until=MORNING + HOUR, calls=40, errors=4, p95_ms=900,
        counts={"0.0": 9, "1.0": 27}, ungraded=1,
    )  # fmt: skip
    Alert.objects.create(
        monitor=monitor, kind="below", sentence="Too many are wrong.", opened_at=MORNING
    )


def answers(project: Project, right: int, wrong: int, *, at: datetime) -> None:
    for number in range(right + wrong):
        text = '{"label": "a"}' if number < right else "I cannot say."
        make_request(project, at=at + timedelta(seconds=number), answer=text)


def test_every_call_since_the_last_run_gets_a_score_once(cast: Cast) -> None:
    monitor = make_monitor(cast.project)
    answers(cast.project, 3, 1, at=MORNING + HOUR)

    first = ran(monitor, at=MORNING + 2 * HOUR)
    answers(cast.project, 1, 0, at=MORNING + 3 * HOUR)
    ran(monitor, at=MORNING + 4 * HOUR)

    scores = LoggedScore.objects.in_project(cast.project).filter(name="valid-json")
    assert sorted(score.number or 0 for score in scores) == [0, 1, 1, 1, 1]
    assert {(score.origin, score.author) for score in scores} == {("code", "Valid JSON")}
    assert first.result == {"graded": 4, "ungraded": 0}
    noted = Measurement.objects.of_monitor(monitor).newest_first()
    assert [(one.calls, one.graded, one.mean) for one in noted] == [(1, 1, 1.0), (4, 4, 0.75)]


def test_only_calls_that_match_are_graded_and_failed_ones_are_counted(cast: Cast) -> None:
    monitor = make_monitor(cast.project, query="tag.route:chat")
    for number, route in enumerate(["chat", "chat", "search"]):
        at = MORNING + HOUR + timedelta(seconds=number)
        make_request(cast.project, at=at, answer='{"label": 1}', tags={"route": route})
    make_request(
        cast.project, at=MORNING + HOUR, answer=None, status="error", tags={"route": "chat"}
    )

    ran(monitor, at=MORNING + 2 * HOUR)

    noted = Measurement.objects.get(monitor=monitor)
    assert (noted.calls, noted.errors, noted.graded) == (3, 1, 2)
    assert noted.p95_ms == 812.0


def test_another_projects_calls_are_nobodys_business(cast: Cast) -> None:
    monitor = make_monitor(cast.project)
    answers(cast.other_project, 2, 0, at=MORNING + HOUR)

    ran(monitor, at=MORNING + 2 * HOUR)

    assert not LoggedScore.objects.filter(name="valid-json").exists()
    assert not Measurement.objects.filter(monitor=monitor).exists()


def test_a_share_of_the_calls_is_graded_and_no_more_than_allowed(cast: Cast) -> None:
    some = make_monitor(cast.project, name="Some", sample_percent=40)
    few = make_monitor(cast.project, name="Few", most_per_run=7)
    answers(cast.project, 60, 0, at=MORNING + HOUR)

    for monitor in (some, few):
        ran(monitor, at=MORNING + 2 * HOUR)

    graded = [Measurement.objects.get(monitor=one).graded for one in (some, few)]
    assert 10 <= graded[0] <= 40
    assert graded[1] == 7


def test_the_answer_that_was_given_is_graded_not_its_correction(cast: Cast) -> None:
    monitor = make_monitor(cast.project)
    row = make_request(cast.project, at=MORNING + HOUR, answer="Sorry!")
    better = read_answer('{"label": "a"}')
    correct_answer(cast.project, row.id, answer=better, by=cast.alice, at=MORNING)

    ran(monitor, at=MORNING + 2 * HOUR)

    assert Measurement.objects.get(monitor=monitor).mean == 0.0


def test_a_run_that_goes_on_after_a_crash_scores_nothing_twice(cast: Cast) -> None:
    monitor = make_monitor(cast.project)
    answers(cast.project, 3, 0, at=MORNING + HOUR)
    ran(monitor, at=MORNING + 2 * HOUR)
    Measurement.objects.all().delete()  # as if it had been killed before it noted anything
    Monitor.objects.filter(pk=monitor.pk).update(looked_until=MORNING)

    ran(monitor, at=MORNING + 3 * HOUR)

    assert LoggedScore.objects.filter(name="valid-json").count() == 3
    assert Measurement.objects.get(monitor=monitor).graded == 3


def test_a_low_mean_opens_an_alert_and_a_good_one_closes_it(cast: Cast) -> None:
    monitor = make_monitor(cast.project, alert_below=0.8, window=20)
    answers(cast.project, 4, 16, at=MORNING + HOUR)
    ran(monitor, at=MORNING + 2 * HOUR)

    alert = Alert.objects.get(monitor=monitor)
    assert alert.sentence == "The mean of the newest 20 answers is 20.0%, below 80.0%."
    assert alert.closed_at is None

    answers(cast.project, 20, 0, at=MORNING + 3 * HOUR)
    ran(monitor, at=MORNING + 4 * HOUR)
    alert.refresh_from_db()
    assert alert.closed_at is not None


def test_a_fall_against_the_answers_before_opens_one_alert(cast: Cast) -> None:
    monitor = make_monitor(cast.project, alert_drop=0.1, window=20)
    answers(cast.project, 40, 0, at=MORNING + HOUR)
    ran(monitor, at=MORNING + 2 * HOUR)
    assert not Alert.objects.exists()

    for hour in (3, 5):
        answers(cast.project, 5, 15, at=MORNING + hour * HOUR)
        ran(monitor, at=MORNING + (hour + 1) * HOUR)

    alert = Alert.objects.get(monitor=monitor)
    assert (alert.kind, alert.closed_at) == ("drop", None)
    assert "points less than" in alert.sentence


def test_the_clock_starts_what_is_due_once(cast: Cast) -> None:
    monitor = make_monitor(cast.project, every_minutes=15)
    make_monitor(cast.project, name="Off", is_on=False)

    look_for_due(at=MORNING + timedelta(minutes=1))
    look_for_due(at=MORNING + timedelta(minutes=2))

    monitor.refresh_from_db()
    job = Job.objects.get(kind="online.run_monitor")
    assert monitor.job == job
    assert monitor.next_at == MORNING + timedelta(minutes=16)
    assert start_due(MORNING + timedelta(minutes=20)) == 0, "the last run has not ended"
    perform(job.pk, holder="test")
    assert start_due(MORNING + timedelta(minutes=20)) == 1


def test_a_monitor_turned_on_again_leaves_what_came_meanwhile(cast: Cast) -> None:
    monitor = make_monitor(cast.project)
    spec = MonitorSpec("Valid JSON", "json_schema", {"schema": JSON}, sample_percent=100)
    change_monitor(monitor, spec=MonitorSpec(**{**vars(spec), "is_on": False}), at=MORNING)
    answers(cast.project, 2, 0, at=MORNING + HOUR)
    change_monitor(monitor, spec=spec, at=MORNING + 2 * HOUR)

    ran(monitor, at=MORNING + 3 * HOUR)

    assert not Measurement.objects.filter(monitor=monitor).exists()


def test_a_query_that_no_longer_works_fails_the_run_in_words(cast: Cast) -> None:
    monitor = make_monitor(cast.project)
    Monitor.objects.filter(pk=monitor.pk).update(query="nonsense:>>")
    monitor.refresh_from_db()

    job = run_now(monitor, by=None, at=MORNING + HOUR)
    perform(job.pk, holder="test")

    job.refresh_from_db()
    assert job.state == Job.State.FAILED
    assert "The query cannot be used" in job.error


@pytest.mark.skipif(bool(why_off()), reason=f"no sandbox here: {why_off()}")
def test_a_python_function_grades_live_calls_by_question_and_answer(cast: Cast) -> None:
    code = (
        "def grade(answer, expected, question):\n"
        "    return question == 'Is it?' and not expected and answer == 'yes'\n"
    )
    monitor = make_monitor(cast.project, grader="code", grader_settings={"code": code})
    for question, answer in (("Is it?", "yes"), ("Is it?", "no"), ("Why?", "yes")):
        make_request(cast.project, question=question, answer=answer, at=MORNING + HOUR / 2)

    ran(monitor, at=MORNING + HOUR)

    (found,) = Measurement.objects.of_monitor(monitor)
    assert {float(score): many for score, many in found.counts.items()} == {0.0: 2, 1.0: 1}
