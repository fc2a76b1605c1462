"""A judge as a step of a pipeline: every call in the ledger, no verdict never a 0."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from evals.judges.actions import save_version
from evals.pipelines.actions import Source, resume_run
from evals.pipelines.definition import read_steps
from evals.pipelines.estimating import estimate
from evals.pipelines.models import Call, Cell
from evals.pipelines.steps.base import BadStep
from tests.conftest import Cast
from tests.evals.answering import Provider
from tests.evals.factories import NOON, make_connection
from tests.evals.judges.factories import make_judge, said
from tests.evals.pipelines.factories import (
    TEACH,
    make_pipeline,
    make_run,
    numbered,
    perform_run,
    step,
)

JUDGE = step("judge", "judged", judge="correctness", answer="teacher", expected="answer")


def knows(text: str) -> str:
    """An answer passes, but for the third one's."""
    return said("fail" if "Answer 2" in text else "pass", "It looked.")


def ready(cast: Cast, provider: Provider) -> Any:
    make_connection(cast.project, provider.url)
    provider.rules["judge"] = knows
    return make_judge(cast.project)


def values(run: Any, at: int = 1) -> list[Any]:
    cells = Cell.objects.of_run(run).filter(step=at).order_by("row__position")
    return [cell.value for cell in cells]


def test_a_judge_scores_each_answer_and_a_filter_takes_its_score(
    cast: Cast, provider: Provider
) -> None:
    ready(cast, provider)
    keep = step("filter", "good", value="judged.score", condition="at least", than="1")

    run = perform_run(make_run(make_pipeline(cast.project, TEACH, JUDGE, keep)))

    assert run.state == "done"
    assert [one["score"] for one in values(run)] == [1, 1, 0, 1, 1, 1]
    assert values(run)[2] == {"score": 0, "label": "fail", "reason": "It looked."}
    assert Call.objects.of_run(run).counts()["done"] == 12


def test_a_reply_without_a_verdict_fails_the_cell_and_is_asked_for_again(
    cast: Cast, provider: Provider
) -> None:
    ready(cast, provider)
    provider.rules["judge"] = lambda text: "Fine!" if "Answer 2" in text else knows(text)
    run = perform_run(make_run(make_pipeline(cast.project, TEACH, JUDGE)))
    failed = Cell.objects.of_run(run).get(step=1, row__position=2)
    provider.rules["judge"] = knows

    assert "gave no verdict" in failed.error
    assert failed.value is None
    assert [model for model, _ in provider.asked].count("judge") == 5 + 2


def test_the_same_answers_are_not_paid_for_twice(cast: Cast, provider: Provider) -> None:
    ready(cast, provider)
    pipeline = make_pipeline(cast.project, TEACH, JUDGE)
    perform_run(make_run(pipeline))
    provider.asked.clear()

    again = perform_run(make_run(pipeline))

    assert (again.state, provider.asked) == ("done", [])
    assert [one["score"] for one in values(again)] == [1, 1, 0, 1, 1, 1]


def test_samples_are_judged_each_and_the_best_is_taken(cast: Cast, provider: Provider) -> None:
    ready(cast, provider)
    calls: list[str] = []

    def wavers(question: str) -> str:
        calls.append(question)
        return f"Answer {len(calls)}"

    provider.rules["good"] = wavers
    provider.rules["judge"] = lambda text: said("pass" if "Answer 2\n" in text else "fail")
    steps = (
        step("sample", "samples", model="local/good", template="Question?", samples=3),
        step("judge", "judged", judge="correctness", answer="samples"),
        step("best_of", "best", samples="samples", scores="judged"),
    )

    run = perform_run(make_run(make_pipeline(cast.project, *steps), [{"n": 1}]))

    (best,) = values(run, at=2)
    assert sorted(values(run)[0]["scores"]) == [0, 0, 1]
    assert best["best"] == "Answer 2"


def test_a_model_that_refuses_a_schema_is_asked_without_after_one_call(
    cast: Cast, provider: Provider
) -> None:
    ready(cast, provider)

    def plain(text: str) -> Any:
        if "response_format" in provider.bodies[-1]:
            return 400, "response_format is not supported by this model"
        return knows(text)

    provider.rules["judge"] = plain
    many = [{"n": n, "answer": f"Answer {n}"} for n in range(40)]

    run = perform_run(make_run(make_pipeline(cast.project, TEACH, JUDGE), many))

    assert run.state == "done"
    assert sum("response_format" in body for body in provider.bodies) == 1


def test_a_run_keeps_the_version_it_began_with(cast: Cast, provider: Provider) -> None:
    version = ready(cast, provider)
    provider.rules["judge"] = lambda _: (401, "This key was revoked.")
    run = perform_run(make_run(make_pipeline(cast.project, TEACH, JUDGE)))
    save_version(
        version.judge, model_ref="local/other", settings=version.settings, by=None, at=NOON
    )
    provider.rules["judge"] = knows

    done = perform_run(resume_run(run, by=None, retry_failed=True))

    assert done.state == "done"
    assert "other" not in {model for model, _ in provider.asked}


def test_a_judge_that_is_not_there_is_told_before_the_run(cast: Cast, provider: Provider) -> None:
    make_connection(cast.project, provider.url)

    with pytest.raises(BadStep, match="no judge “correctness”"):
        make_run(make_pipeline(cast.project, TEACH, JUDGE))


def test_the_estimate_counts_the_judge(cast: Cast, provider: Provider) -> None:
    ready(cast, provider)

    told = estimate(cast.project, read_steps([TEACH, JUDGE]), Source.of_rows(numbered(6)))

    assert [one.calls for one in told.steps] == [6, 6]
    assert provider.asked == []


def test_a_run_and_its_cells_say_how_far_the_judge_agrees_with_people(
    cast: Cast, provider: Provider, alice: Client
) -> None:
    ready(cast, provider)
    run = perform_run(make_run(make_pipeline(cast.project, TEACH, JUDGE)))
    base = f"/p/{cast.project.slug}/evals/pipelines/runs/{run.pk}/"

    whole = alice.get(base).content.decode()
    judged = alice.get(f"{base}rows/0/1/").content.decode()
    taught = alice.get(f"{base}rows/0/0/").content.decode()

    assert "not calibrated" in whole
    assert "not calibrated" in judged
    assert "not calibrated" not in taught
