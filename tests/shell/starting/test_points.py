"""Every starting point is put into a project, run, graded and compared as a person would do it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from evals.actions import CandidateSpec, Grading, start_comparison
from evals.judges.models import JudgeVersion
from evals.models import JUDGE, Comparison
from evals.pipelines.actions import Source, start_run
from evals.pipelines.models import Pipeline, Row
from evals.pipelines.results import Wanted, check_wanted
from evals.pipelines.sources import first_rows, of_version
from evals.results import summaries
from prompts.models import Prompt
from prompts.resolving import compiled, fetch
from requests_log.datasets.actions import create_dataset
from requests_log.datasets.models import Dataset, DatasetVersion
from tests.conftest import Cast
from tests.evals.answering import Provider
from tests.evals.factories import NOON, make_connection
from tests.evals.pipelines.factories import perform_run
from workbench.core.errors import InvalidInput
from workbench.core.models import Job
from workbench.core.queue import perform
from workbench.shell.starting.actions import add_to
from workbench.shell.starting.library import ANSWER, ORDER, Point, all_points, point_named
from workbench.shell.starting.models import Start

ROWS = 5
WRONG = {
    "extraction": '{"order": "?", "product": "?", "quantity": 99, "problem": "other", '
    '"wish": "information"}',
    "moderation": '{"verdict": "unsafe", "reason": "It is."}',
    "workout": None,  # what does not fit its schema is asked for again, which takes its time
}
WORKOUT = json.dumps({
    "title": "A calm half hour", "warm_up": ["walk"], "cool_down": ["stretch"],
    "exercises": [{"name": f"No. {n}", "sets": 3, "reps": "10", "rest_seconds": 60}
                  for n in range(4)],
})  # fmt: skip


@pytest.fixture
def teacher(cast: Cast, provider: Provider) -> Provider:
    """A model that says what we wrote, and a judge who likes everything best."""
    make_connection(cast.project, provider.url)
    return provider


def begun(cast: Cast, teacher: Provider, name: str) -> tuple[Point, Start]:
    point = point_named(name)
    start = add_to(cast.project, point, by=cast.alice, at=NOON, teacher="local/teacher")
    answers = _answers(cast, point, start)
    best = json.dumps({"reason": "All of it is there.", "verdict": _best_label(point)})
    teacher.rules["teacher"] = lambda asked: best if "<<<ANSWER" in asked else answers(asked)
    return point, start


def _answers(cast: Cast, point: Point, start: Start) -> Any:
    if not point.has_answers:
        return lambda _: WORKOUT
    content = fetch(cast.project, start.prompt).content
    known = {_asked(compiled(content, row)): row[ANSWER] for row in point.rows}
    return known.__getitem__


def _asked(messages: Any) -> str:
    return str(messages[-1]["content"])


def _best_label(point: Point) -> str:
    return point.judging.scale.levels[-1].label if point.judging else ""


@pytest.mark.parametrize("name", ORDER)
def test_its_pipeline_runs_and_its_graders_keep_what_is_an_answer(
    cast: Cast, teacher: Provider, name: str
) -> None:
    point, start = begun(cast, teacher, name)
    right, first = teacher.rules["teacher"], _first_question(cast, point, start)
    wrong = WRONG.get(name, "I would rather talk about the weather in Ulm")
    teacher.rules["teacher"] = lambda asked: wrong if wrong and asked == first else right(asked)
    pipeline = Pipeline.objects.get(pk=start.pipeline_id)
    rows = Source(of_version(DatasetVersion.objects.get(pk=start.inputs_id)))

    run = perform_run(start_run(pipeline, source=rows, by=cast.alice, limit=ROWS))

    assert (run.state, run.note) == ("done", "")
    assert Row.objects.of_run(run).counts()["done"] == ROWS - (wrong is not None)
    into = create_dataset(cast.project, name="Taught", by=None)
    check_wanted(run, Wanted("dataset", point.pipeline["answer"], dataset=into.pk))


def _first_question(cast: Cast, point: Point, start: Start) -> str:
    """What the pipeline's first row asks."""
    source = of_version(DatasetVersion.objects.get(pk=start.inputs_id))
    line = first_rows(cast.project, source, 1)[0]
    return _asked(compiled(fetch(cast.project, start.prompt).content, line.variables))


@pytest.mark.parametrize("name", [one.name for one in all_points() if one.has_answers])
def test_models_are_compared_on_its_examples(cast: Cast, teacher: Provider, name: str) -> None:
    point, start = begun(cast, teacher, name)
    teacher.rules["other"] = lambda _: "Something else"
    assert point.grading is not None
    grading = Grading(**{"settings": {}, **point.grading})

    made = compare(cast, start, grading, "local/teacher", "local/other")

    right, wrong = summaries(made)
    assert right.score is not None
    assert wrong.score is not None
    assert right.score.mean == pytest.approx(1)
    assert wrong.score.mean < point.grading["pass_mark"]


@pytest.mark.parametrize("name", [one.name for one in all_points() if one.judge])
def test_its_judge_judges(cast: Cast, teacher: Provider, name: str) -> None:
    point, start = begun(cast, teacher, name)
    version = judge_of(start)
    assert version.settings == point.judging
    if start.examples_id is None:
        return

    made = compare(cast, start, Grading(JUDGE, {"judge": version.judge.name}), "local/teacher")

    assert [summary.score and summary.score.mean for summary in summaries(made)] == [1]


def compare(cast: Cast, start: Start, grading: Grading, *refs: str) -> Comparison:
    version = examples_of(start)
    candidates = [CandidateSpec(ref, ref) for ref in refs]
    made = start_comparison(
        cast.project, name="Try", dataset_version=version, candidates=candidates,
        by=cast.alice, grading=grading,
    )  # fmt: skip
    assert made.job is not None
    perform(made.job.pk, holder="test")
    assert Job.objects.get(pk=made.job.pk).state == "succeeded"
    return made


def examples_of(start: Start) -> DatasetVersion:
    assert start.examples_id is not None
    return DatasetVersion.objects.get(pk=start.examples_id)


def judge_of(start: Start) -> JudgeVersion:
    assert start.judge_id is not None
    return JudgeVersion.objects.get(judge_id=start.judge_id)


@pytest.mark.parametrize("name", ORDER)
def test_every_part_is_there_and_every_row(cast: Cast, name: str) -> None:
    point = point_named(name)

    start = add_to(cast.project, point, by=cast.alice, at=NOON)

    inputs = DatasetVersion.objects.get(pk=start.inputs_id)
    assert inputs.row_count == len(point.rows) >= 20
    assert fetch(cast.project, start.prompt).label == "production"
    assert (start.judge_id is None) == (point.judge is None)
    if start.examples_id is not None:
        examples = examples_of(start)
        assert examples.row_count == len(point.rows)
        assert examples.heldout_rows >= 3


def test_the_workouts_are_a_hundred() -> None:
    assert len(point_named("workout").rows) == 100


def test_a_second_one_has_the_same_number_behind_every_name(cast: Cast) -> None:
    create_dataset(cast.project, name="Our voice 2", by=None)
    point = point_named("rewriting")

    for _ in range(2):
        last = add_to(cast.project, point, by=None, at=NOON)

    assert last.prompt == "write/our-voice-3"
    assert Pipeline.objects.get(pk=last.pipeline_id).name == "Rewrite drafts 3"
    assert Pipeline.objects.in_project(cast.project).count() == 2
    assert examples_of(last).dataset.slug == "our-voice-3"
    assert judge_of(last).judge.name == "Our voice 3"


def test_what_cannot_be_made_whole_is_not_made_at_all(cast: Cast) -> None:
    with pytest.raises(InvalidInput, match="Name a model"):
        add_to(cast.project, point_named("moderation"), by=None, at=NOON, teacher="no\tmodel")

    assert not Prompt.objects.in_project(cast.project).exists()
    assert not Dataset.objects.in_project(cast.project).exists()
    assert not Start.objects.exists()
