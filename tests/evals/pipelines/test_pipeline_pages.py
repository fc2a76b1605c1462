"""The pages of pipelines."""

from __future__ import annotations

import itertools
import re
from datetime import UTC, datetime
from decimal import Decimal
from html import unescape
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from evals.pipelines import sources
from evals.pipelines.actions import Source, change_pipeline
from evals.pipelines.models import Cell, Pipeline, Row, Run
from requests_log.datasets.models import Dataset, Example
from requests_log.models import Correction, LoggedScore, Price
from requests_log.selection import Selection
from tests.conftest import Cast
from tests.curate.factories import make_requests
from tests.evals.answering import Provider
from tests.evals.factories import HOSTILE, make_connection, make_version
from tests.evals.pipelines.factories import (
    TEACH,
    make_pipeline,
    make_run,
    numbered,
    perform_run,
    step,
)
from workbench.core.models import Job
from workbench.core.queue import perform

CSV = "n,answer\n1,Answer 1\n2,Answer 2\n3,Answer 3\n"
FORM = {
    "name": "Teach support", "description": "", "pipeline": "", "rows": "csv", "pasted": CSV,
    "split": "", "query": "", "row": "2", "limit": "",
    "s0-kind": "prompt", "s0-name": "teacher", "s0-set-model": "local/good", "s0-set-prompt": "",
    "s0-set-template": "Question {{n}}?", "s0-set-parameters": "{}", "s0-set-response_schema": "",
    "s0-set-tools": "", "s0-set-seconds": "60", "s0-set-reuse": "on",
}  # fmt: skip
HTMX = {"HX-Request": "true"}


def place(cast: Cast, rest: str = "") -> str:
    return f"/p/{cast.project.slug}/evals/pipelines/{rest}"


def client_of(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def text_of(answer: Any) -> str:
    return unescape(answer.content.decode())


def build(client: Client, cast: Cast, do: str, **changes: Any) -> Any:
    return client.post(place(cast, "build/"), FORM | {"do": do} | changes)


def test_the_list_teaches_what_a_pipeline_is(alice: Client, cast: Cast) -> None:
    page = text_of(alice.get(place(cast)))

    assert "No pipeline yet" in page
    assert f'href="{place(cast, "new/")}"' in page
    assert 'aria-current="page">Pipelines' in page


def test_the_list_shows_steps_in_words_and_the_last_run(
    alice: Client, cast: Cast, provider: Provider
) -> None:
    make_connection(cast.project, provider.url)
    pipeline = make_pipeline(cast.project, TEACH, step("grade", "score", answer="teacher"))
    perform_run(make_run(pipeline))
    make_run(pipeline, [{"n": 1, "answer": "1"}], is_test=True)

    page = text_of(alice.get(place(cast)))

    assert re.search(r"Prompt <span[^>]*>local/good</span>.*Grade <span[^>]*>exact", page)
    assert "6 of 6" in page
    assert "Done" in page


def test_a_model_that_is_not_there_is_told_at_its_step(alice: Client, cast: Cast) -> None:
    answer = build(alice, cast, "save")

    assert answer.status_code == 422
    assert "Step “teacher”: No connection serves “local/good”. Add a connection" in text_of(answer)
    assert not Pipeline.objects.exists()


def test_an_editor_makes_a_pipeline(cast: Cast, provider: Provider) -> None:
    make_connection(cast.project, provider.url)
    bob = client_of(cast.bob)

    answer = build(bob, cast, "save")

    made = Pipeline.objects.get()
    assert answer.headers["Location"] == place(cast, f"{made.pk}/edit/")
    (one,) = made.definition.steps
    assert (one["name"], one["settings"]["template"]) == ("teacher", "Question {{n}}?")
    assert (one["settings"]["seconds"], one["settings"]["response_schema"]) == (60, None)
    page = text_of(bob.get(place(cast, f"{made.pk}/edit/")))
    assert "Question {{n}}?" in page
    assert 'value="local/good"' in page


def test_messages_parameters_and_schemas_are_read_as_json(
    alice: Client, cast: Cast, provider: Provider
) -> None:
    make_connection(cast.project, provider.url)
    messages = '[{"role": "system", "content": "Be short."}, {"role": "user", "content": "{{n}}"}]'
    build(
        alice, cast, "save", **{
            "s0-set-template": messages,
            "s0-set-parameters": '{"temperature": 0}',
            "s0-set-response_schema": '{"type": "object"}',
        }
    )  # fmt: skip

    settings = Pipeline.objects.get().definition.steps[0]["settings"]
    assert settings["template"][0] == {"role": "system", "content": "Be short."}
    assert settings["parameters"] == {"temperature": 0}
    assert settings["response_schema"] == {"type": "object"}


def test_lines_of_a_template_end_as_they_were_typed(
    alice: Client, cast: Cast, provider: Provider
) -> None:
    make_connection(cast.project, provider.url)

    build(alice, cast, "save", **{"s0-set-template": "Question\r\n{{n}}?"})

    assert Pipeline.objects.get().definition.steps[0]["settings"]["template"] == "Question\n{{n}}?"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": " "}, "This field is required"),
        ({"s0-name": "a b"}, "Use letters, digits and _"),
        ({"s0-set-model": ""}, "This field is required"),
        ({"s0-set-template": "Hi {{n}"}, "Line 1, column 4"),
        ({"s0-set-parameters": "{"}, "Enter a valid JSON"),
        ({"s0-set-parameters": '{"heat": 1}'}, "There is no parameter “heat”"),
        ({"s0-set-template": "[{"}, "is no JSON"),
        ({"s0-kind": "vibes"}, "Add a step"),
    ],
)
def test_what_makes_no_sense_is_refused_and_stays_in_the_form(
    alice: Client, cast: Cast, changes: dict[str, str], sentence: str
) -> None:
    answer = build(alice, cast, "save", **changes)

    assert answer.status_code == 422
    page = text_of(answer)
    assert sentence in page
    assert "3,Answer 3" in page
    assert not Pipeline.objects.exists()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"s0-set-template": "{{land}}"}, "takes “land”, which no column"),
        ({"pasted": ""}, "Choose a CSV file, or paste its lines"),
        ({"pasted": "n,n\n1,2\n"}, "must name every column, each name once"),
        ({"pasted": "n,answer\n1\n"}, "Line 2 of the CSV has 1 values"),
        ({"rows": "version"}, "Choose a frozen version"),
        ({"rows": "requests", "query": "model:>>"}, "The query cannot be used"),
        ({"rows": "requests"}, "There is no row"),
        ({"rows": "same"}, "Select a valid choice"),
        ({"row": "9"}, "There is no row 9"),
        ({"row": "first"}, "give its number"),
    ],
)
def test_rows_that_cannot_be_used_are_told_before_anything_is_asked(
    alice: Client, cast: Cast, provider: Provider, changes: dict[str, str], sentence: str
) -> None:
    make_connection(cast.project, provider.url)

    answer = build(alice, cast, "test", **changes)

    assert answer.status_code == 422
    assert sentence in text_of(answer)
    assert not Run.objects.exists()


def test_steps_are_added_moved_and_removed_without_losing_what_was_typed(
    alice: Client, cast: Cast
) -> None:
    added = text_of(build(alice, cast, "add:grade", **{"s0-set-seconds": "nonsense"}))
    more = {"s1-kind": "grade", "s1-name": "score", "s1-set-answer": "teacher"}
    moved = text_of(build(alice, cast, "up:1", **more))
    removed = text_of(build(alice, cast, "remove:0", **more))

    assert 'name="s1-kind" value="grade"' in added
    assert re.search(
        r'name="s1-set-answer"[^>]*value="teacher"|value="teacher"[^>]*name="s1-set-answer"', added
    )
    assert 'value="nonsense"' in added
    assert "field__error" not in added
    assert 'name="s0-kind" value="grade"' in moved
    assert 'name="s1-set-model"' in moved
    assert 'name="s0-kind" value="grade"' in removed
    assert "s1-kind" not in removed
    assert not Pipeline.objects.exists()


def test_the_variables_of_the_rows_and_of_earlier_steps_stand_beside_a_step(
    alice: Client, cast: Cast
) -> None:
    more = {"s1-kind": "transform", "s1-name": "line", "s1-set-template": "{{teacher}}"}

    answer = alice.post(place(cast, "build/"), FORM | more | {"do": "columns"}, headers=HTMX)

    page = text_of(answer)
    assert "<html" not in page
    first, second = page.split('id="vars-1"')
    assert "<code>n</code> <code>answer</code>" in first
    assert '<code class="pipe-made">teacher</code>' in second


def test_a_row_is_tried_and_shows_prompt_answer_and_cost(
    alice: Client, cast: Cast, provider: Provider
) -> None:
    make_connection(cast.project, provider.url)

    started = alice.post(place(cast, "build/"), FORM | {"do": "test"}, headers=HTMX)
    run = Run.objects.get()
    waiting = alice.get(place(cast, f"runs/{run.pk}/test/"))
    perform_run(run)
    done = alice.get(place(cast, f"runs/{run.pk}/test/"))

    made = Pipeline.objects.get()
    assert started.headers["HX-Replace-Url"] == place(cast, f"{made.pk}/edit/")
    assert f'name="pipeline" value="{made.pk}"' in text_of(started)
    assert (run.is_test, waiting.status_code, done.status_code) == (True, 200, 286)
    assert "Question 2?" in text_of(done)
    assert "Answer 2" in text_of(done)
    assert "7 tokens in, 3 out" in text_of(done)
    assert [question for _, question in provider.asked] == ["Question 2?"]


def test_a_template_error_stands_at_its_step(alice: Client, cast: Cast) -> None:
    changes = {"do": "test", "s0-set-template": "Hi {{n}"}

    answer = alice.post(place(cast, "build/"), FORM | changes, headers=HTMX)

    assert answer.status_code == 422
    (said,) = re.findall(r'<p class="field__error" role="alert">([^<]*)', text_of(answer))
    assert said.startswith("Step “teacher”: ")
    assert "Line 1, column 4" in said


def test_a_run_is_priced_and_what_has_no_price_is_said(
    alice: Client, cast: Cast, provider: Provider
) -> None:
    make_connection(cast.project, provider.url)

    page = text_of(alice.post(place(cast, "build/"), FORM | {"do": "price"}, headers=HTMX))

    assert "nobody knows what local good costs" in page
    assert "Start the run" in page
    assert not Run.objects.exists()


def test_a_file_is_run_on(alice: Client, cast: Cast, provider: Provider) -> None:
    make_connection(cast.project, provider.url)
    file = SimpleUploadedFile("questions.csv", CSV.encode(), content_type="text/csv")

    answer = build(alice, cast, "start", file=file, pasted="", limit="2")

    run = perform_run(Run.objects.get())
    assert answer.headers["Location"] == place(cast, f"runs/{run.pk}/")
    page = text_of(alice.get(answer.headers["Location"]))
    assert "questions.csv (3 rows)" in page
    assert "Answer 2" in page
    assert "2 rows" in page


def test_a_version_is_run_on_and_stays_chosen(
    alice: Client, cast: Cast, provider: Provider
) -> None:
    make_connection(cast.project, provider.url)
    version = make_version(cast.project)

    build(alice, cast, "start", rows="version", version=str(version.pk),
          **{"s0-set-template": "{{question}}"})  # fmt: skip

    run = perform_run(Run.objects.get())
    assert Row.objects.of_run(run).counts()["done"] == 6
    page = text_of(alice.get(place(cast, f"{run.pipeline_id}/edit/")))
    assert f'<option value="{version.pk}" selected>' in page
    assert "<code>question</code>" in page


def test_a_failed_cell_shows_its_error_and_is_run_again(
    alice: Client, cast: Cast, provider: Provider
) -> None:
    make_connection(cast.project, provider.url)
    provider.rules["good"] = lambda q: (400, "Too odd.") if "3" in q else "Fine"
    run = perform_run(make_run(make_pipeline(cast.project)))

    failed = text_of(alice.get(place(cast, f"runs/{run.pk}/?show=failed")))
    cell = text_of(alice.get(place(cast, f"runs/{run.pk}/rows/3/0/?part=inspector")))
    provider.rules["good"] = lambda q: "Better"
    alice.post(place(cast, f"runs/{run.pk}/rows/3/0/again/"))
    again = perform_run(Run.objects.get())

    assert "Too odd." in failed
    assert "1 row<" in failed
    assert "Question 3?" in cell
    assert "local refused the call (status 400): Too odd." in cell
    assert "Run this cell again" in cell
    assert again.state == "done"
    assert Cell.objects.of_run(run).get(row__position=3).value == "Better"
    assert len(provider.asked) == 7


def test_a_cell_that_was_answered_is_not_run_again(
    alice: Client, cast: Cast, provider: Provider
) -> None:
    make_connection(cast.project, provider.url)
    run = perform_run(make_run(make_pipeline(cast.project)))

    answer = alice.post(place(cast, f"runs/{run.pk}/rows/0/0/again/"), follow=True)

    assert "Only a cell that failed" in text_of(answer)
    assert "Run this cell again" not in text_of(alice.get(place(cast, f"runs/{run.pk}/rows/0/0/")))


def test_the_table_is_asked_for_until_the_run_ends(
    alice: Client, cast: Cast, provider: Provider
) -> None:
    make_connection(cast.project, provider.url)
    run = make_run(make_pipeline(cast.project))

    working = text_of(alice.get(place(cast, f"runs/{run.pk}/")))
    perform_run(run)
    done = text_of(alice.get(place(cast, f"runs/{run.pk}/")))

    assert 'hx-select="#run-live"' in working
    assert "Stop" in working
    assert 'hx-select="#run-live"' not in done
    assert "Use the results" in done


def test_a_run_is_stopped_and_let_go_on(alice: Client, cast: Cast, provider: Provider) -> None:
    make_connection(cast.project, provider.url)
    run = make_run(make_pipeline(cast.project))

    alice.post(place(cast, f"runs/{run.pk}/stop/"))
    stopped = text_of(alice.get(place(cast, f"runs/{run.pk}/")))
    alice.post(place(cast, f"runs/{run.pk}/resume/"), {"budget": ""})
    done = perform_run(Run.objects.get())

    assert "Resume" in stopped
    assert "Stopped" in stopped
    assert done.state == "done"


def test_the_table_goes_on_after_a_position(alice: Client, cast: Cast, provider: Provider) -> None:
    make_connection(cast.project, provider.url)
    run = make_run(make_pipeline(cast.project), [{"n": n} for n in range(60)])

    first = text_of(alice.get(place(cast, f"runs/{run.pk}/")))
    second = text_of(alice.get(place(cast, f"runs/{run.pk}/?after=49")))

    assert "after=49" in first
    assert "10 rows" in second
    assert alice.get(place(cast, f"runs/{run.pk}/?after=x")).status_code == 400


def test_a_rerun_tells_what_is_asked_anew_and_pays_only_for_that(
    alice: Client, cast: Cast, provider: Provider
) -> None:
    make_connection(cast.project, provider.url)
    more = step("prompt", "more", model="local/good", template="More of {{teacher}}?")
    pipeline = make_pipeline(cast.project, TEACH, more)
    run = perform_run(make_run(pipeline))
    changed = step("prompt", "more", model="local/good", template="Again {{teacher}}?")
    change_pipeline(pipeline, by=None, steps=[TEACH, changed])
    provider.asked.clear()

    told = text_of(alice.get(place(cast, f"runs/{run.pk}/again/")))
    answer = alice.post(place(cast, f"runs/{run.pk}/again/"), {"budget": "", "limit": ""})
    again = perform_run(Run.objects.newest_first()[0])

    assert stats_of(told) == {"Rows": "6", "Asked anew": "6", "Reused": "6", "Cost": "unknown"}
    assert answer.headers["Location"] == place(cast, f"runs/{again.pk}/")
    assert sorted(question for _, question in provider.asked) == [
        f"Again Answer {n}?" for n in range(6)
    ]
    assert "6 paid before" in text_of(alice.get(place(cast, f"runs/{again.pk}/")))


def stats_of(page: str) -> dict[str, str]:
    """The figures of a page by their labels."""
    found = re.findall(r'stat__label">([^<]*)</span><span class="stat__value">([^<]*)<', page)
    return dict(found)


def test_a_rerun_that_cannot_start_says_why(alice: Client, cast: Cast, provider: Provider) -> None:
    make_connection(cast.project, provider.url)
    run = perform_run(make_run(make_pipeline(cast.project)))

    refused = alice.post(place(cast, f"runs/{run.pk}/again/"), {"budget": "-1"})

    assert refused.status_code == 422
    assert "greater than or equal to" in text_of(refused)
    assert Run.objects.count() == 1


def test_examples_are_made_of_what_was_sent_and_answered(
    alice: Client, cast: Cast, provider: Provider
) -> None:
    make_connection(cast.project, provider.url)
    run = perform_run(make_run(make_pipeline(cast.project)))
    form = {"to": "dataset", "name": "Taught", "answer": "teacher", "question": ""}

    page = text_of(alice.get(place(cast, f"runs/{run.pk}/examples/")))
    answer = alice.post(place(cast, f"runs/{run.pk}/examples/"), form)
    perform(Job.objects.get(kind="pipelines.make_results").pk, holder="test")

    assert '<option value="teacher" selected>' in page
    assert answer.headers["Location"].endswith("/datasets/taught/")
    made = Example.objects.filter(dataset=Dataset.objects.get()).select_related("content")
    assert {one.provenance for one in made} == {"teacher"}
    assert sorted(one.content.question for one in made) == [f"Question {n}?" for n in range(6)]


def made_of(alice: Client, cast: Cast, run: Run, **form: str) -> dict[str, int]:
    """What became of the rows when the form was sent."""
    alice.post(place(cast, f"runs/{run.pk}/examples/"), {"question": "", "name": "", **form})
    job = Job.objects.filter(kind="pipelines.make_results").latest("pk")
    perform(job.pk, holder="test")
    return dict(Job.objects.get(pk=job.pk).result or {})


def test_logged_calls_are_corrected_and_scored_by_what_was_found(
    alice: Client, cast: Cast, provider: Provider
) -> None:
    make_connection(cast.project, provider.url)
    logged = make_requests(cast.project, 3)
    asked = step("prompt", "teacher", model="local/good", template="Question {{answer}}?")
    pipeline = make_pipeline(cast.project, asked, step("grade", "alike", answer="teacher"))
    source = Source(sources.of_requests(Selection(at=timezone.now())))
    run = perform_run(make_run(pipeline, source=source))

    corrected = made_of(alice, cast, run, to="corrections", answer="teacher")
    again = made_of(alice, cast, run, to="corrections", answer="teacher")
    scored = made_of(alice, cast, run, to="scores", answer="alike", name="alike")

    assert (corrected, again, scored) == ({"corrected": 3}, {"unchanged": 3}, {"scored": 3})
    words = Correction.objects.filter(project=cast.project)
    assert {one.request_id for one in words} == {one.pk for one in logged}
    assert set(LoggedScore.objects.values_list("name", "number")) == {("alike", 0.0)}


def test_the_best_and_the_worst_become_a_preference_pair_with_tags(
    alice: Client, cast: Cast, provider: Provider
) -> None:
    make_connection(cast.project, provider.url)
    said = itertools.cycle(["Answer 0", "No idea"])
    provider.rules["good"] = lambda _: next(said)
    samples = step("sample", "tries", model="local/good", template="Question {{n}}?", samples=2)
    best = step("best_of", "pick", samples="tries", grader="exact")
    run = perform_run(make_run(make_pipeline(cast.project, samples, best), numbered(1)))
    form = {"to": "pairs", "answer": "pick", "name": "Taught", "tags": "n:{{n}}, batch:7"}

    page = text_of(alice.get(place(cast, f"runs/{run.pk}/examples/")))
    wrong = alice.post(
        place(cast, f"runs/{run.pk}/examples/"), form | {"question": "", "tags": "a:{{land}}"}
    )
    added = made_of(alice, cast, run, **form)

    assert '<option value="pairs" selected>' in page
    assert "takes “land”, which no step or column is called" in text_of(wrong)
    assert added == {"added": 1}
    made = Example.objects.select_related("content").get()
    assert made.content.body["messages"][-1]["content"] == "Answer 0"
    assert made.content.body["rejected"]["content"] == "No idea"
    assert made.tags == {"n": "0", "batch": "7"}


def test_a_budget_is_raised_on_the_page_and_the_run_goes_on(
    alice: Client, cast: Cast, provider: Provider
) -> None:
    make_connection(cast.project, provider.url)
    Price.objects.create(
        project=cast.project, provider="local", model="good", input=100, cached=100, output=100,
        valid_from=datetime(2020, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    provider.usage = {"prompt_tokens": 1000, "completion_tokens": 0}  # 10 cents
    teach = step("prompt", "t", **TEACH["settings"], parameters={"max_tokens": 1000})
    run = perform_run(
        make_run(make_pipeline(cast.project, teach), numbered(12), budget=Decimal("0.40"))
    )

    stopped = text_of(alice.get(place(cast, f"runs/{run.pk}/")))
    refused = alice.post(place(cast, f"runs/{run.pk}/resume/"), {"budget": "much"}, follow=True)
    alice.post(place(cast, f"runs/{run.pk}/resume/"), {"budget": "50"})
    done = perform_run(Run.objects.get())

    assert "Raise and resume" in stopped
    assert "give dollars" in text_of(refused)
    assert (done.state, done.budget, len(provider.asked)) == ("done", Decimal(50), 12)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": ""}, "Name the new dataset"),
        ({"answer": "nobody"}, "Select a valid choice"),
        ({"question": "land"}, "There is no step or column “land”"),
    ],
)
def test_results_that_cannot_be_made_are_refused(
    alice: Client, cast: Cast, provider: Provider, changes: dict[str, str], sentence: str
) -> None:
    make_connection(cast.project, provider.url)
    run = perform_run(make_run(make_pipeline(cast.project)))
    form = {"to": "dataset", "name": "Taught", "answer": "teacher", "question": "n"} | changes

    answer = alice.post(place(cast, f"runs/{run.pk}/examples/"), form)

    assert answer.status_code == 422
    assert sentence in text_of(answer)
    assert f'value="{form["question"]}"' in text_of(answer)
    assert not Job.objects.filter(kind="pipelines.make_results").exists()


def test_a_pipeline_that_works_is_not_deleted(alice: Client, cast: Cast) -> None:
    pipeline = make_pipeline(cast.project)
    run = make_run(pipeline)

    refused = alice.post(place(cast, f"{pipeline.pk}/delete/"), follow=True)
    alice.post(place(cast, f"runs/{run.pk}/stop/"))
    alice.post(place(cast, f"{pipeline.pk}/delete/"))

    assert "Cancel it first" in text_of(refused)
    assert not Pipeline.objects.exists()


def test_what_a_model_said_is_text_and_no_markup(
    alice: Client, cast: Cast, provider: Provider
) -> None:
    make_connection(cast.project, provider.url)
    provider.rules["good"] = lambda _: HOSTILE
    run = perform_run(make_run(make_pipeline(cast.project), [{"n": HOSTILE}]))

    for path in ("", "rows/0/0/"):
        page = alice.get(place(cast, f"runs/{run.pk}/{path}")).content.decode()
        assert "<script>alert" not in page
        assert "<img src=x" not in page


def test_a_viewer_reads_and_changes_nothing(cast: Cast) -> None:
    pipeline = make_pipeline(cast.project)
    run = make_run(pipeline)
    victor = client_of(cast.victor)

    page = text_of(victor.get(place(cast, f"runs/{run.pk}/")))

    assert "Stop" not in page
    assert "Change or run" not in text_of(victor.get(place(cast, f"{pipeline.pk}/")))
    assert victor.get(place(cast, f"runs/{run.pk}/rows/0/0/")).status_code == 200
    for path in ("new/", f"{pipeline.pk}/edit/", f"runs/{run.pk}/examples/"):
        assert victor.get(place(cast, path)).status_code == 403
    for path in ("build/", f"{pipeline.pk}/delete/", f"runs/{run.pk}/stop/"):
        assert victor.post(place(cast, path), FORM).status_code == 403
    assert Run.objects.get().state == "queued"


@pytest.mark.parametrize("path", ["{one}/", "{one}/edit/", "runs/{run}/", "runs/{run}/rows/0/0/"])
def test_another_projects_pipelines_are_not_found(alice: Client, cast: Cast, path: str) -> None:
    pipeline = make_pipeline(cast.other_project)
    run = make_run(pipeline)
    named = path.format(one=pipeline.pk, run=run.pk)

    assert alice.get(place(cast, named)).status_code == 404
    assert build(alice, cast, "save", pipeline=str(pipeline.pk)).status_code == 404
    assert build(alice, cast, "save", pipeline=str(uuid4())).status_code == 404


def test_there_is_no_such_row_or_step(alice: Client, cast: Cast) -> None:
    run = make_run(make_pipeline(cast.project))

    for path in ("rows/99/0/", "rows/0/7/", "rows/99999999999/0/"):
        assert alice.get(place(cast, f"runs/{run.pk}/{path}")).status_code == 404
