"""Runs against a real provider, done as the worker does them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from evals.graders.code import why_off
from evals.pipelines.actions import resume_run
from evals.pipelines.models import Call, Cell, Row
from evals.pipelines.steps.base import (
    Asker,
    BadStep,
    Given,
    Outcome,
    Place,
    Ready,
    Settings,
    StepKind,
)
from evals.pipelines.steps.registry import STEPS
from requests_log.models import Price
from tests.conftest import Cast
from tests.evals.answering import Provider
from tests.evals.factories import make_connection
from tests.evals.pipelines.factories import TEACH, make_pipeline, make_run, perform_run, step


def test_the_teacher_answers_every_row_once(cast: Cast, provider: Provider) -> None:
    make_connection(cast.project, provider.url)

    run = perform_run(make_run(make_pipeline(cast.project)))

    assert (run.state, run.note, run.job and run.job.error) == ("done", "", "")
    cells = Cell.objects.of_run(run).order_by("row__position")
    assert [cell.value for cell in cells] == [f"Answer {n}" for n in range(6)]
    assert sorted(question for _, question in provider.asked) == [
        f"Question {n}?" for n in range(6)
    ]
    assert Call.objects.of_run(run).counts() == {"sent": 0, "done": 6, "failed": 0, "unknown": 0}
    assert Row.objects.of_run(run).counts()["done"] == 6


def test_steps_use_columns_and_each_others_values(cast: Cast, provider: Provider) -> None:
    make_connection(cast.project, provider.url)
    provider.rules["good"] = lambda question: question.upper()
    pipeline = make_pipeline(
        cast.project,
        TEACH,
        step("prompt", "again", model="local/good", template="More of {{teacher}} and {{n}}"),
        step("grade", "score", answer="again", grader="contains", expected="n"),
        step("filter", "good_ones", value="score", condition="at least", than="1"),
        step("transform", "line", template="{{n}}: {{again}}"),
    )

    run = perform_run(make_run(pipeline))

    last = Cell.objects.of_run(run).filter(step=4).order_by("row__position").first()
    assert last is not None
    assert last.value == "0: MORE OF QUESTION 0? AND 0"


def test_rows_that_are_filtered_end_there_and_cost_nothing_more(
    cast: Cast, provider: Provider
) -> None:
    make_connection(cast.project, provider.url)
    pipeline = make_pipeline(
        cast.project, step("filter", "few", value="n", condition="less than", than="2"), TEACH
    )

    run = perform_run(make_run(pipeline))

    assert len(provider.asked) == 2
    assert Row.objects.of_run(run).counts() == {
        "waiting": 0, "asked": 0, "done": 2, "failed": 0, "filtered": 4,
    }  # fmt: skip


def test_the_best_and_the_worst_of_samples_are_taken(cast: Cast, provider: Provider) -> None:
    make_connection(cast.project, provider.url)
    said = iter(["Wrong", "Answer 0", "Worse still"])
    provider.rules["good"] = lambda _: next(said)
    pipeline = make_pipeline(
        cast.project,
        step("sample", "tries", model="local/good", template="Question {{n}}?", samples=3),
        step("best_of", "pick", samples="tries", grader="exact"),
    )

    run = perform_run(make_run(pipeline, [{"n": 0, "answer": "Answer 0"}]))

    cell = Cell.objects.of_run(run).get(step=1)
    assert (cell.value["best"], cell.value["score"]) == ("Answer 0", 1)
    assert cell.value["worst"] != "Answer 0"
    assert len(provider.asked) == 3


def test_a_missing_variable_is_named_before_anything_is_paid_for(
    cast: Cast, provider: Provider
) -> None:
    make_connection(cast.project, provider.url)
    pipeline = make_pipeline(
        cast.project, step("prompt", "ask", model="local/good", template="{{city}} in {{land}}")
    )

    with pytest.raises(BadStep) as caught:
        make_run(pipeline, [{"city": "Ulm", "year": 1}])

    assert caught.value.sentence == (
        "Step “ask” takes “land”, which no column and no earlier step is called. "
        "There are: “city”, “year”."
    )
    assert provider.asked == []


def test_what_was_paid_for_is_not_asked_again_in_the_project(
    cast: Cast, provider: Provider
) -> None:
    make_connection(cast.project, provider.url)
    pipeline = make_pipeline(cast.project)
    perform_run(make_run(pipeline))
    provider.asked.clear()

    again = perform_run(make_run(pipeline, [{"n": n} for n in range(8)]))

    assert sorted(question for _, question in provider.asked) == ["Question 6?", "Question 7?"]
    assert Cell.objects.of_run(again).filter(reused=True).count() == 6
    assert Cell.objects.of_run(again).filter(state="done").count() == 8


def test_rows_that_ask_the_same_are_paid_for_once(cast: Cast, provider: Provider) -> None:
    make_connection(cast.project, provider.url)

    run = perform_run(make_run(make_pipeline(cast.project), [{"n": 1}] * 5))

    assert len(provider.asked) == 1
    assert [cell.value for cell in Cell.objects.of_run(run)] == ["Answer 1"] * 5


def test_a_refusal_is_kept_with_its_words_and_asked_again_only_on_request(
    cast: Cast, provider: Provider
) -> None:
    make_connection(cast.project, provider.url)
    provider.rules["good"] = lambda q: (400, "Too odd.") if "3" in q else "Fine"

    run = perform_run(make_run(make_pipeline(cast.project)))

    failed = Cell.objects.of_run(run).get(state="failed")
    assert failed.error_kind == "refused"
    assert failed.error.startswith("local refused the call (status 400): Too odd. Check")
    assert run.state == "done"
    provider.rules["good"] = lambda q: "Fine"
    run = perform_run(resume_run(run, by=None, retry_failed=True))
    assert len(provider.asked) == 7
    assert Row.objects.of_run(run).counts()["done"] == 6


def test_a_budget_stops_the_run_and_a_higher_one_lets_it_go_on(
    cast: Cast, provider: Provider
) -> None:
    make_connection(cast.project, provider.url)
    _price(cast, "good", dollars="100")
    provider.usage = {"prompt_tokens": 1000, "completion_tokens": 0}  # 10 cents
    pipeline = make_pipeline(
        cast.project,
        step("prompt", "t", **TEACH["settings"], parameters={"max_tokens": 1000}),
    )
    run = make_run(pipeline, [{"n": n} for n in range(40)], budget=Decimal("1.00"))

    run = perform_run(run)

    assert run.state == "budget"
    assert "Raise the budget" in run.note
    first = len(provider.asked)
    assert 0 < first < 20
    assert Call.objects.of_run(run).committed() <= Decimal("1.00") + first * Decimal("0.10")
    run = perform_run(resume_run(run, by=None, budget=Decimal("50")))
    assert run.state == "done"
    assert len(provider.asked) == 40


def _price(cast: Cast, model: str, *, dollars: str) -> None:
    rate = Decimal(dollars)
    Price.objects.create(
        project=cast.project, provider="local", model=model, input=rate, cached=rate, output=rate,
        valid_from=datetime(2020, 1, 1, tzinfo=UTC),
    )  # fmt: skip


def test_a_step_may_turn_a_row_into_many(
    cast: Cast, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_connection(cast.project, provider.url)
    monkeypatch.setitem(STEPS, "split", SPLIT)
    pipeline = make_pipeline(cast.project, step("split", "words"), TEACH)

    run = perform_run(make_run(pipeline, [{"text": "1 2 3"}, {"text": "4 5"}]))

    rows = list(Row.objects.of_run(run).order_by("position"))
    assert [row.variables.get("n") for row in rows] == [None, None, "1", "2", "3", "4", "5"]
    assert [row.parent_id for row in rows[2:]] == [rows[0].pk] * 3 + [rows[1].pk] * 2
    cells = Cell.objects.of_run(run).filter(step=1).order_by("row__position")
    assert [cell.value for cell in cells] == [f"Answer {n}" for n in range(1, 6)]


def test_answers_that_do_not_fit_the_schema_are_asked_for_again(
    cast: Cast, provider: Provider
) -> None:
    make_connection(cast.project, provider.url)
    said = iter(["no JSON", '{"land": 1}', '{"land": "Peru"}'])
    provider.rules["good"] = lambda _: next(said)
    schema = {"type": "object", "properties": {"land": {"type": "string"}}, "required": ["land"]}
    pipeline = make_pipeline(
        cast.project,
        step("prompt", "ask", model="local/good", template="{{n}}", response_schema=schema),
        step("transform", "land", operation="field", value="ask.land"),
    )

    run = perform_run(make_run(pipeline, [{"n": 1}]))

    assert Cell.objects.of_run(run).get(step=1).value == "Peru"
    counts = Call.objects.of_run(run).counts()
    assert (counts["done"], counts["failed"]) == (1, 2)


def test_a_model_that_never_fits_the_schema_is_paid_three_times_a_row(
    cast: Cast, provider: Provider
) -> None:
    make_connection(cast.project, provider.url)
    provider.rules["good"] = lambda _: "no JSON"
    ask = step(
        "prompt", "ask", model="local/good", template="{{n}}", response_schema={"type": "object"}
    )

    run = perform_run(make_run(make_pipeline(cast.project, ask), [{"n": 1}, {"n": 2}]))

    assert len(provider.asked) == 6
    cells = list(Cell.objects.of_run(run))
    assert [cell.error_kind for cell in cells] == ["unfit", "unfit"]
    assert "Say the form more clearly" in cells[0].error


def test_a_revoked_key_stops_the_run_before_every_row_was_tried(
    cast: Cast, provider: Provider
) -> None:
    make_connection(cast.project, provider.url)
    pipeline = make_pipeline(
        cast.project, step("prompt", "ask", model="local/dead", template="{{n}}")
    )

    run = perform_run(make_run(pipeline, [{"n": n} for n in range(400)]))

    assert run.state == "failed"
    assert "This key was revoked." in run.note
    assert len(provider.asked) < 100


def _split(_place: Place, _settings: Settings) -> Ready:
    async def work(given: Given, _: Asker) -> Outcome:
        words = str(given.columns["text"]).split()
        return Outcome(len(words), children=[{"n": word} for word in words])

    return Ready(work, needs=frozenset({"text"}))


SPLIT = StepKind("split", "Split", "Makes a row of each word.", _split, makes_rows=True)


def _deep(_place: Place, _settings: Settings) -> Ready:
    async def work(_given: Given, _asker: Asker) -> Outcome:
        value: list[object] = []
        for _depth in range(100_000):
            value = [value]
        return Outcome(value)

    return Ready(work)


def test_a_value_that_cannot_be_kept_fails_its_cell_and_the_run_ends(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(STEPS, "deep", StepKind("deep", "Deep", "Too deep to keep.", _deep))

    run = perform_run(make_run(make_pipeline(cast.project, step("deep", "deep")), [{"n": 1}]))

    assert run.state == "done"
    cell = Cell.objects.of_run(run).get()
    assert (cell.state, cell.error_kind) == ("failed", "unexpected")


@pytest.mark.skipif(bool(why_off()), reason=f"no sandbox here: {why_off()}")
def test_a_python_function_grades_beside_the_calls(cast: Cast, provider: Provider) -> None:
    make_connection(cast.project, provider.url)
    code = (
        "def grade(answer, expected, question):\n"
        "    if question == 'Why 2?':\n        raise ValueError('odd')\n"
        "    return answer == expected and question.startswith('Why')\n"
    )
    graded = {"grader": "code", "grader_settings": {"code": code}}
    pipeline = make_pipeline(
        cast.project,
        TEACH,
        step("grade", "right", answer="teacher", **graded),
    )
    rows = [{"n": n, "answer": f"Answer {n}", "question": f"Why {n}?"} for n in range(4)]

    run = perform_run(make_run(pipeline, rows))

    cells = {cell.row.position: cell for cell in Cell.objects.of_run(run).filter(step=1)}
    assert [cells[n].value for n in (0, 1, 3)] == [1, 1, 1]
    assert cells[2].error_kind == "cannot_grade"
    assert "odd" in cells[2].error
