"""Rows that wait for a person: handed out, decided, and the run goes on."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from evals.pipelines import people
from evals.pipelines.actions import resume_run, use_results
from evals.pipelines.models import Cell, HumanTask, Pipeline, Row, Run
from evals.pipelines.results import Wanted
from requests_log.datasets.actions import create_dataset
from requests_log.datasets.models import Example
from tests.conftest import Cast
from tests.evals.answering import Provider
from tests.evals.factories import NOON, make_connection
from tests.evals.pipelines.factories import (
    TEACH,
    make_pipeline,
    make_run,
    numbered,
    perform_run,
    step,
)
from tests.evals.pipelines.test_pipeline_pages import client_of, place, text_of
from workbench.core.errors import InvalidInput
from workbench.core.queue import perform

LOOK = step("human", "checked", answer="teacher", instructions="Is it right?", show="n")
LINE = step("transform", "line", template="{{n}}: {{checked}}")


@pytest.fixture
def pipeline(cast: Cast, provider: Provider) -> Pipeline:
    """A teacher answers, a person looks at it, and a line is made of it."""
    make_connection(cast.project, provider.url)
    return make_pipeline(cast.project, TEACH, LOOK, LINE)


def asked(run: Run) -> list[HumanTask]:
    return list(HumanTask.objects.of_run(run).open().order_by("row__position"))


def decide(task: HumanTask, outcome: str = "approved", text: str = "", by: Any = None) -> Run:
    return people.decide(task, outcome=outcome, text=text, by=by, at=NOON)


def values(run: Run, at: int) -> list[Any]:
    cells = Cell.objects.of_run(run).filter(step=at).order_by("row__position")
    return [cell.value for cell in cells]


def test_a_run_waits_for_people_without_a_worker_and_goes_on(pipeline: Pipeline) -> None:
    run = perform_run(make_run(pipeline, numbered(3)))
    first, second, third = asked(run)

    assert (run.state, run.finished_at, run.job and run.job.state) == ("people", None, "succeeded")
    decide(first)
    decide(second, "written", "Changed")
    waiting = Run.objects.get(pk=run.pk)
    queued = decide(third, "rejected")
    done = perform_run(queued)

    assert (waiting.state, queued.state, done.state) == ("people", "queued", "done")
    assert values(done, 1) == ["Answer 0", "Changed", None]
    assert values(done, 2) == ["0: Answer 0", "1: Changed"]
    assert Row.objects.of_run(done).counts() == {
        "waiting": 0, "asked": 0, "done": 2, "failed": 0, "filtered": 1,
    }  # fmt: skip


def test_those_that_are_decided_go_on_before_the_rest(pipeline: Pipeline) -> None:
    run = perform_run(make_run(pipeline, numbered(3)))

    decide(asked(run)[1])
    run = perform_run(resume_run(run, by=None))

    assert run.state == "people"
    assert values(run, 2) == ["1: Answer 1"]
    assert len(asked(run)) == 2


def test_two_people_never_get_the_same_row(pipeline: Pipeline, cast: Cast) -> None:
    run = perform_run(make_run(pipeline, numbered(2)))

    alices, bobs = people.take(run, by=cast.alice), people.take(run, by=cast.bob)
    again = people.take(run, by=cast.alice)
    nothing = people.take(run, by=cast.victor)
    assert alices
    assert bobs
    people.skip(alices, by=cast.alice)

    assert (alices.pk != bobs.pk, again == alices, nothing) == (True, True, None)
    assert people.take(run, by=cast.alice) == alices  # no other is left
    decide(alices)
    with pytest.raises(people.DecidedAlready, match="Take the next one"):
        decide(alices)


def test_what_makes_no_answer_is_refused(cast: Cast, provider: Provider) -> None:
    make_connection(cast.project, provider.url)
    provider.rules["good"] = lambda _: '{"land": "Peru"}'
    as_json = step("transform", "read", operation="json", value="teacher")
    look = step("human", "checked", answer="read")
    alone = step("human", "own")
    run = perform_run(
        make_run(make_pipeline(cast.project, TEACH, as_json, look, alone), [{"n": 1}])
    )
    (task,) = asked(run)

    for outcome, text, sentence in [
        ("written", " ", "Write an answer"),
        ("written", "{", "is JSON, and what you wrote is not"),
        ("perhaps", "", "decision must be one of"),
    ]:
        with pytest.raises(InvalidInput, match=sentence):
            decide(task, outcome, text)
    run = perform_run(decide(task, "written", '{"land": "Chile"}'))
    (own,) = asked(run)
    with pytest.raises(InvalidInput, match="There is no answer to approve"):
        decide(own)

    assert values(run, 2) == [{"land": "Chile"}]
    assert decide(own, "written", "Mine").state == "done"


def test_a_decision_is_taken_back_until_the_run_went_on(cast: Cast, provider: Provider) -> None:
    make_connection(cast.project, provider.url)
    run = perform_run(make_run(make_pipeline(cast.project, TEACH, LOOK), numbered(1)))

    done = decide(asked(run)[0], by=cast.alice)
    people.undo(run, by=cast.alice)
    back = Run.objects.get(pk=run.pk)
    (task,) = asked(run)

    assert (done.state, back.state, task.held_by) == ("done", "people", cast.alice)
    assert not Cell.objects.of_run(run).filter(step=1).exists()
    with pytest.raises(people.NothingToUndo):
        people.undo(run, by=cast.bob)


def test_rows_are_decided_on_their_page(pipeline: Pipeline, cast: Cast) -> None:
    run = perform_run(make_run(pipeline, numbered(3)))
    bob = client_of(cast.bob)
    path = f"runs/{run.pk}/people/"

    def send(do: str, text: str = "") -> Any:
        page = text_of(bob.get(place(cast, path)))
        action = re.search(rf'action="([^"]*{path}\d+/)"', page)
        assert action is not None, page
        return bob.post(action[1], {"do": do, "text": text})

    assert "Decide 3 rows" in text_of(bob.get(place(cast, f"runs/{run.pk}/")))
    first = text_of(bob.get(place(cast, path)))
    refused = send("written", " ")
    send("approved")
    bob.post(place(cast, f"{path}undo/"))
    send("approved")
    send("skip")
    send("written", "Mine")
    assert "Go on with 2 decided" in text_of(bob.get(place(cast, f"runs/{run.pk}/")))
    send("rejected")

    assert "Is it right?" in first
    assert ">\nAnswer 0</textarea>" in first
    assert (refused.status_code, "Write an answer" in text_of(refused)) == (422, True)
    assert "Every row is decided" in text_of(bob.get(place(cast, path)))
    assert values(run, 1) == ["Answer 0", None, "Mine"]
    assert Run.objects.get(pk=run.pk).state == "queued"
    victor = client_of(cast.victor)
    assert victor.get(place(cast, path)).status_code == 403


def test_rows_are_decided_over_http(api: Client, pipeline: Pipeline) -> None:
    run = perform_run(make_run(pipeline, numbered(2)))
    one = f"/api/v1/pipeline-runs/{run.pk}/people"

    told = api.get(f"{one}?limit=1").json()
    rest = api.get(f"{one}?after={told['next']}").json()
    bodies = [{"decision": "written", "text": "Better"}, {"decision": "approved"}]
    for task, body in zip([*told["tasks"], *rest["tasks"]], bodies, strict=True):
        answer = api.post(f"{one}/{task['id']}", body, content_type="application/json")
        assert answer.status_code == 200

    assert told["tasks"][0] | {"id": 0} == {
        "id": 0, "position": 0, "step": 1, "instructions": "Is it right?", "shown": {"n": "0"},
        "text": "Answer 0", "is_json": False,
    }  # fmt: skip
    assert answer.json()["state"] == "queued"
    assert api.get(one).json() == {"tasks": [], "done": 2, "total": 2, "next": None}


def test_what_a_person_wrote_is_a_persons_example(pipeline: Pipeline, cast: Cast) -> None:
    run = perform_run(make_run(pipeline, numbered(2)))
    first, second = asked(run)
    decide(first)
    run = perform_run(decide(second, "written", "Mine"))
    dataset = create_dataset(cast.project, name="Checked", by=None)

    job = use_results(run, wanted=Wanted("dataset", "checked", dataset=dataset.pk), by=None)
    perform(job.pk, holder="test")

    made = Example.objects.in_dataset(dataset).values_list("content__answer", "provenance")
    assert set(made) == {("Answer 0", "teacher"), ("Mine", "human")}
