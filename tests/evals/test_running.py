"""Comparisons against a real provider, done as the worker does them."""

from __future__ import annotations

import json

import pytest
from django.conf import settings
from django.db.models.functions import Now

from evals import asking
from evals.actions import Grading, NothingToCompareOn
from evals.models import Cell, Comparison
from evals.results import summaries
from evals.running import run_comparison
from finetunes.models import Alias, Engine, ModelVersion, RegisteredModel
from requests_log.datasets.actions import add_examples, create_dataset, freeze_version
from tests.conftest import Cast
from tests.evals.answering import Provider
from tests.evals.factories import NOON, make_comparison, make_connection, make_version
from workbench.core.errors import InvalidInput
from workbench.core.models import Job
from workbench.core.queue import JobCancelled, cancel_job, perform


def run(comparison: Comparison) -> Job:
    assert comparison.job is not None
    perform(comparison.job.pk, holder="test")
    return Job.objects.get(pk=comparison.job.pk)


def test_every_candidate_answers_every_row_once(cast: Cast, provider: Provider) -> None:
    make_connection(cast.project, provider.url)
    comparison = make_comparison(cast.project, refs=["local/good", "local/poor"])

    job = run(comparison)

    assert (job.state, job.error) == ("succeeded", "")
    assert sorted(provider.asked) == sorted(
        (model, f"Question {n}?") for model in ("good", "poor") for n in range(6)
    )
    good, poor = summaries(comparison)
    assert good.score is not None
    assert poor.score is not None
    assert (good.score.mean, poor.score.mean) == (1, 0)
    assert poor.difference is not None
    assert (poor.difference.interval.high, poor.difference.worse) == (-1, 6)
    assert good.milliseconds is not None
    comparison.refresh_from_db()
    assert comparison.finished_at is not None


def test_answers_are_graded_by_the_grader_of_the_comparison(cast: Cast, provider: Provider) -> None:
    make_connection(cast.project, provider.url)
    provider.rules["poor"] = lambda question: question.replace("Question", "An answer:")
    comparison = make_comparison(
        cast.project, refs=["local/good", "local/poor"], grading=Grading("numeric")
    )

    assert run(comparison).state == "succeeded"

    assert [one.score and one.score.mean for one in summaries(comparison)] == [1, 1]


def test_nobody_is_asked_what_cannot_be_graded(cast: Cast, provider: Provider) -> None:
    make_connection(cast.project, provider.url)
    comparison = make_comparison(cast.project, grading=Grading("json_fields"))

    job = run(comparison)

    assert job.state == "failed"
    assert job.error.endswith(
        "Not asked, as no answer to this row can be graded. The expected answer is no JSON, so it "
        "has no fields. So it is with every row: choose another grader."
    )
    assert provider.asked == []


def test_an_answer_that_cannot_be_graded_is_kept_and_told(cast: Cast, provider: Provider) -> None:
    make_connection(cast.project, provider.url)
    provider.rules["good"] = lambda question: json.dumps({"of": question})
    # The expected answers are no objects, and the reference is met in objects only.
    schema = {"properties": {"of": {"$ref": "elsewhere"}}}
    comparison = make_comparison(cast.project, grading=Grading("json_schema", {"schema": schema}))

    job = run(comparison)

    assert job.state == "failed"
    assert "Answered, but not graded. The JSON schema refers to 'elsewhere'" in job.error
    cell = Cell.objects.of_comparison(comparison).order_by("position")[0]
    assert cell.answer.startswith('{"of": "Question')


def test_candidates_are_asked_with_the_parameters_of_the_comparison(
    cast: Cast, provider: Provider
) -> None:
    make_connection(cast.project, provider.url)
    comparison = make_comparison(cast.project, parameters={"max_tokens": 8, "temperature": 0.5})

    run(comparison)

    body = provider.bodies[0]
    assert (body["max_tokens"], body["temperature"]) == (8, 0.5)
    assert body["messages"] == [{"role": "user", "content": provider.asked[0][1]}]


def test_a_comparison_whose_worker_was_killed_asks_only_for_what_is_missing(
    cast: Cast, provider: Provider
) -> None:
    make_connection(cast.project, provider.url)
    comparison = make_comparison(cast.project, refs=["local/good", "local/poor"])
    run(comparison)
    gone = Cell.objects.filter(candidate__label="poor", position__gte=4)
    missing = gone.count()
    gone.delete()
    _as_if_its_worker_was_killed(comparison)
    provider.asked.clear()

    job = run(comparison)

    assert job.state == "succeeded"
    assert sorted(provider.asked) == [
        ("poor", f"Question {n}?") for n in _questions(comparison)[4:]
    ]
    assert len(provider.asked) == missing == 2
    assert Cell.objects.of_comparison(comparison).count() == 12


def test_failed_cells_are_asked_again_when_the_comparison_is_resumed(
    cast: Cast, provider: Provider
) -> None:
    make_connection(cast.project, provider.url)
    comparison = make_comparison(cast.project)
    good = provider.rules["good"]
    provider.rules["good"] = lambda q: (400, "Too odd.") if q == "Question 3?" else good(q)
    run(comparison)
    assert Cell.objects.of_comparison(comparison).exclude(error="").count() == 1
    _as_if_its_worker_was_killed(comparison)
    provider.rules["good"] = good
    provider.asked.clear()

    run(comparison)

    assert provider.asked == [("good", "Question 3?")]
    assert Cell.objects.of_comparison(comparison).graded().count() == 6


def test_only_the_first_rows_are_asked_when_a_limit_is_set(cast: Cast, provider: Provider) -> None:
    make_connection(cast.project, provider.url)
    comparison = make_comparison(cast.project, limit=2)

    run(comparison)

    assert comparison.rows == 2
    assert len(provider.asked) == 2


def test_a_row_the_provider_refuses_is_told_in_its_cell(cast: Cast, provider: Provider) -> None:
    make_connection(cast.project, provider.url)
    good = provider.rules["good"]
    provider.rules["good"] = lambda q: (400, "Too odd.") if q == "Question 3?" else good(q)
    comparison = make_comparison(cast.project)

    job = run(comparison)

    failed = Cell.objects.of_comparison(comparison).exclude(error="").get()
    assert job.state == "succeeded"
    assert failed.error.startswith("local refused the call (status 400): Too odd.")
    (summary,) = summaries(comparison)
    assert (summary.failures, summary.answered) == (1, 5)


@pytest.mark.parametrize(
    ("ref", "sentence"),
    [
        ("local/dead", "dead answered no row. local refused the call (status 401): This key was"),
        ("nobody:3", "There is no registered model “nobody:3” in this project."),
        ("elsewhere/model", "“elsewhere/model”"),
    ],
)
def test_a_candidate_that_cannot_answer_fails_the_comparison_with_a_sentence(
    cast: Cast, provider: Provider, ref: str, sentence: str
) -> None:
    if ref.startswith("local/"):
        make_connection(cast.project, provider.url)
    comparison = make_comparison(cast.project, refs=[ref])

    job = run(comparison)

    assert job.state == "failed"
    assert sentence in job.error


def test_cancelling_a_waiting_comparison_asks_nobody(cast: Cast, provider: Provider) -> None:
    make_connection(cast.project, provider.url)
    comparison = make_comparison(cast.project)
    assert comparison.job is not None

    cancel_job(comparison.job, at=comparison.dataset_version.created_at)

    assert run(comparison).state == "cancelled"
    assert provider.asked == []


def test_cancelling_keeps_the_answers_that_are_there(cast: Cast, provider: Provider) -> None:
    make_connection(cast.project, provider.url)
    comparison = make_comparison(cast.project, refs=["local/good", "local/poor"])

    def cancel_after_the_first(done: int, total: int | None, note: str) -> None:
        if done == 6:
            raise JobCancelled

    with pytest.raises(JobCancelled):
        run_comparison(comparison, report=cancel_after_the_first)

    assert Cell.objects.of_comparison(comparison).count() == 6
    assert {model for model, _ in provider.asked} == {"good"}


def test_answers_are_kept_as_they_come_in(cast: Cast, provider: Provider) -> None:
    make_connection(cast.project, provider.url)
    comparison = make_comparison(cast.project)
    provider.slow["Question 3?"] = 600.0

    def stop_at_the_last_but_one(done: int, total: int | None, note: str) -> None:
        if done == 5:
            raise JobCancelled

    with pytest.raises(JobCancelled):
        run_comparison(comparison, report=stop_at_the_last_but_one)

    assert Cell.objects.of_comparison(comparison).count() == 5


def test_more_rows_than_are_read_at_once_are_all_asked(cast: Cast, provider: Provider) -> None:
    make_connection(cast.project, provider.url)
    version = make_version(cast.project, rows=300)
    comparison = make_comparison(cast.project, dataset_version=version)

    assert run(comparison).state == "succeeded"

    assert len(provider.asked) == len(set(provider.asked)) == 300
    assert Cell.objects.of_comparison(comparison).graded().count() == 300


def test_a_registered_model_is_asked_at_the_engine_under_its_full_name(
    cast: Cast, provider: Provider
) -> None:
    model = RegisteredModel.objects.create(project=cast.project, name="capital-letter")
    version = ModelVersion.objects.create(
        model=model, number=1, kind="full", path="/models/x", render_fingerprint="f" * 64
    )
    Alias.objects.create(model=model, name="production", version=version)
    provider.rules["support/capital-letter:1"] = provider.rules["good"]
    comparison = make_comparison(cast.project, refs=["capital-letter@production"])
    notes = []

    def start_the_engine_when_it_is_waited_for(done: int, total: int | None, note: str) -> None:
        notes.append(note)
        if note.startswith("Waiting"):
            url = provider.url.removesuffix("/v1")
            Engine.objects.filter(host=settings.RUNNER_HOST).update(
                url=url, seen_at=Now(), serves=["support/capital-letter:1"]
            )

    run_comparison(comparison, report=start_the_engine_when_it_is_waited_for)

    candidate = comparison.candidates.get()
    assert any(note.startswith("Waiting for capital-letter@production: ") for note in notes)
    assert {name for name, _ in provider.asked} == {"support/capital-letter:1"}
    assert candidate.resolved == "capital-letter:1"
    assert (candidate.provider, candidate.model) == ("stillhouse", "capital-letter:1")
    assert candidate.cells.graded().count() == 6


def test_a_resumed_comparison_stays_with_the_version_its_alias_meant(
    cast: Cast, provider: Provider
) -> None:
    model = RegisteredModel.objects.create(project=cast.project, name="capital-letter")
    first, second = (
        ModelVersion.objects.create(
            model=model, number=number, kind="full", path="/models/x", render_fingerprint="f" * 64
        )
        for number in (1, 2)
    )
    alias = Alias.objects.create(model=model, name="production", version=first)
    names = ["support/capital-letter:1", "support/capital-letter:2"]
    provider.rules |= dict.fromkeys(names, provider.rules["good"])
    url = provider.url.removesuffix("/v1")
    Engine.objects.create(host=settings.RUNNER_HOST, url=url, seen_at=Now(), serves=names)
    comparison = make_comparison(cast.project, refs=["capital-letter@production"])
    run(comparison)
    Cell.objects.of_comparison(comparison).filter(position=2).delete()
    Alias.objects.filter(pk=alias.pk).update(version=second)
    _as_if_its_worker_was_killed(comparison)
    provider.asked.clear()

    run(comparison)

    assert [name for name, _ in provider.asked] == ["support/capital-letter:1"]


def test_an_engine_that_does_not_come_up_fails_the_comparison_with_its_reason(
    cast: Cast, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "ENGINE_SECONDS", 0.2)
    model = RegisteredModel.objects.create(project=cast.project, name="capital-letter")
    ModelVersion.objects.create(
        model=model, number=1, kind="full", path="/models/x", render_fingerprint="f" * 64
    )
    comparison = make_comparison(cast.project, refs=["capital-letter:1"])

    job = run(comparison)

    assert job.state == "failed"
    assert "Start `manage.py runner`" in job.error


def test_an_answer_with_a_null_character_is_kept(cast: Cast, provider: Provider) -> None:
    make_connection(cast.project, provider.url)
    provider.rules["good"] = lambda question: "a\x00b"
    comparison = make_comparison(cast.project, limit=1)

    assert run(comparison).state == "succeeded"
    assert Cell.objects.of_comparison(comparison).get().answer == "a�b"


def test_tools_are_sent_and_a_tool_call_is_the_answer(cast: Cast, provider: Provider) -> None:
    make_connection(cast.project, provider.url)
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    tools = [{"type": "function", "function": {"name": "look", "parameters": {}}}]
    dataset = create_dataset(cast.project, name="Tools", by=None)
    asked = [
        {"role": "user", "content": "Earlier"},
        {"role": "assistant", "content": "Said", "weight": 0},
        {"role": "user", "content": "Look it up"},
    ]
    answer = {"role": "assistant", "tool_calls": [call]}
    add_examples(dataset, rows=[{"messages": [*asked, answer], "tools": tools}])
    version = freeze_version(dataset, by=None, at=NOON, split=(0, 100))
    provider.rules["good"] = lambda question: {"content": None, "tool_calls": [call]}
    provider.rules["poor"] = lambda question: ""
    comparison = make_comparison(
        cast.project, refs=["local/good", "local/poor"], dataset_version=version
    )

    run(comparison)

    good, poor = summaries(comparison)
    assert good.score is not None
    assert poor.score is not None
    assert (good.score.mean, poor.score.mean) == (1, 0)
    assert provider.bodies[0]["tools"] == tools
    assert all("weight" not in message for message in provider.bodies[0]["messages"])


@pytest.mark.parametrize("usage", [[1], {"prompt_tokens": 2**40, "completion_tokens": 1.5}, "x"])
def test_an_odd_count_of_tokens_is_no_count(cast: Cast, provider: Provider, usage: object) -> None:
    make_connection(cast.project, provider.url)
    provider.usage = usage
    comparison = make_comparison(cast.project, limit=1)

    assert run(comparison).state == "succeeded"
    cell = Cell.objects.of_comparison(comparison).get()
    assert (cell.error, cell.input_tokens, cell.output_tokens) == ("", None, None)


def test_an_answer_of_no_known_shape_is_told_in_its_cell(cast: Cast, provider: Provider) -> None:
    make_connection(cast.project, provider.url)
    provider.rules["good"] = lambda question: {"content": 7} if question.endswith("1?") else "ok"
    comparison = make_comparison(cast.project)

    assert run(comparison).state == "succeeded"
    assert Cell.objects.of_comparison(comparison).exclude(error="").count() == 1


@pytest.mark.parametrize(
    "parameters", [{"temperature": "hot"}, {"max_tokens": 0}, {"stop": "a\0b"}, {"top_p": True}]
)
def test_parameters_that_make_no_sense_are_refused(
    cast: Cast, parameters: dict[str, object]
) -> None:
    with pytest.raises(InvalidInput):
        make_comparison(cast.project, parameters=parameters)


def test_a_version_without_rows_in_the_split_is_refused(cast: Cast) -> None:
    version = make_version(cast.project, heldout=0)

    with pytest.raises(NothingToCompareOn, match="Freeze a version"):
        make_comparison(cast.project, dataset_version=version)


def _questions(comparison: Comparison) -> list[int]:
    """The numbers of the questions, in the frozen order."""
    rows = comparison.dataset_version.rows("heldout")
    return [int(row["messages"][0]["content"].split()[1].rstrip("?")) for row in rows]


def _as_if_its_worker_was_killed(comparison: Comparison) -> None:
    assert comparison.job is not None
    Job.objects.filter(pk=comparison.job.pk).update(
        state=Job.State.RUNNING, finished_at=None, lease_token=None, lease_until=None
    )
