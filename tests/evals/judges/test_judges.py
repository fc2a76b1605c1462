"""Judges and their versions, as pages and as an API, and as graders of comparisons."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client

from evals.actions import Grading, NothingToResume, resume_comparison
from evals.export import as_html
from evals.judges.actions import Archived, NameTaken, archive, save_version
from evals.judges.models import Judge, JudgeVersion
from evals.judges.presets import BETTER, HELPFULNESS, PRESETS
from evals.judges.trying import INVENTED
from evals.models import Cell, Comparison
from evals.results import judging_of, summaries
from requests_log.datasets.actions import add_examples, freeze_version
from tests.conftest import Cast
from tests.curate.factories import make_dataset
from tests.evals.answering import Provider
from tests.evals.factories import HOSTILE, NOON, make_comparison, make_connection
from tests.evals.judges.factories import make_judge, said
from tests.evals.test_running import run
from workbench.core.errors import InvalidInput, NotFound

JUDGED = Grading("judge", {"judge": "correctness"})


def agrees(asked: str) -> str:
    """Passes an answer that is the expected one."""
    answer, expected = (
        re.search(rf"<<<{name} \w+>>>\n(.*?)\n<<<END", asked, re.S)
        for name in ("ANSWER", "EXPECTED")
    )
    assert answer is not None
    assert expected is not None
    return said("pass" if answer[1] == expected[1] else "fail", f"It says “{answer[1]}”.")


def judged(cast: Cast, provider: Provider, **fields: Any) -> Comparison:
    make_connection(cast.project, provider.url)
    make_judge(cast.project)
    fields = {"refs": ["local/good", "local/poor"], "grading": JUDGED, **fields}
    return make_comparison(cast.project, **fields)


def test_content_saved_again_is_the_version_there_is(cast: Cast) -> None:
    first = make_judge(cast.project)
    values: dict[str, Any] = {"by": None, "at": NOON, "model_ref": "local/judge"}

    same = save_version(first.judge, settings=first.settings, **values)
    other = save_version(first.judge, settings=replace(first.settings, criteria="Else."), **values)

    assert (same.version, same.is_new) == (first, False)
    assert (other.version.number, other.is_new) == (2, True)
    assert JudgeVersion.objects.get(pk=first.pk).settings == first.settings


def test_a_name_is_taken_once_in_whatever_case(cast: Cast) -> None:
    make_judge(cast.project, "Tone")
    make_judge(cast.other_project, "Tone")

    with pytest.raises(NameTaken, match="choose another name"):
        make_judge(cast.project, "tone")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"template": "Judge it."}, "must show the judge what it judges"),
        ({"template": "{{answer}} {{secret}}"}, "no variable “secret”"),
        ({"template": "{{answer}} {{#if x}}"}, "neither a variable"),
        ({"samples": 3}, "every judgement is the same"),
        ({"samples": 10}, "1 to 9 times"),
        ({"parameters": {"temperature": 9}}, "from 0 to 2"),
        ({"parameters": {"api_key": "x"}}, "no parameter"),
    ],
)
def test_settings_that_will_not_do_are_told_in_a_sentence(
    cast: Cast, changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        make_judge(cast.project, **changes)


def test_an_archived_judge_takes_no_version_and_grades_nothing_new(cast: Cast) -> None:
    version = make_judge(cast.project)
    archive(version.judge, at=NOON)

    with pytest.raises(Archived):
        save_version(
            version.judge, model_ref="local/other", settings=version.settings, by=None, at=NOON
        )
    with pytest.raises(InvalidInput, match="archived"):
        make_comparison(cast.project, grading=JUDGED)


def test_a_comparison_is_graded_by_a_judge_with_reasons_and_costs_apart(
    cast: Cast, provider: Provider
) -> None:
    provider.rules["judge"] = agrees
    comparison = judged(cast, provider)

    job = run(comparison)

    assert (job.state, job.error) == ("succeeded", "")
    assert [one.score and one.score.mean for one in summaries(comparison)] == [1, 0]
    cell = Cell.objects.get(candidate__label="poor", position=0)
    assert cell.judgement is not None
    assert cell.judgement["reason"] == "It says “No idea”."
    judging = judging_of(comparison)
    assert judging is not None
    assert (judging.answers, judging.input_tokens, judging.output_tokens) == (12, 84, 36)
    assert (cell.input_tokens, cell.output_tokens) == (7, 3)


def test_a_judge_that_gives_no_verdict_fails_the_cell_and_keeps_what_it_said(
    cast: Cast, provider: Provider
) -> None:
    provider.rules["judge"] = lambda asked: "Fine!" if "No idea" in asked else agrees(asked)
    comparison = judged(cast, provider)

    run(comparison)

    cell = Cell.objects.get(candidate__label="poor", position=0)
    assert cell.score is None
    assert cell.error.startswith("Answered, but not graded. The judge was asked twice")
    assert cell.answer == "No idea"
    assert cell.judgement is not None
    assert cell.judgement["raw"] == "Fine!"
    assert cell.judge_input_tokens == 14


def test_who_answered_is_not_asked_again_where_only_the_judge_failed(
    cast: Cast, provider: Provider, alice: Client
) -> None:
    provider.rules["judge"] = lambda asked: "Fine!" if "Question 2" in asked else agrees(asked)
    comparison = judged(cast, provider)
    run(comparison)
    page = f"/p/{cast.project.slug}/evals/{comparison.pk}/"
    assert "Ask again what failed" in alice.get(page).content.decode()
    provider.rules["judge"] = agrees
    provider.asked.clear()

    sent = alice.post(f"{page}resume/")
    comparison.refresh_from_db()
    job = run(comparison)

    assert (sent.status_code, job.state) == (302, "succeeded")
    assert [model for model, _ in provider.asked] == ["judge", "judge"]
    assert [(one.score and one.score.mean, one.failures) for one in summaries(comparison)] == [
        (1, 0),
        (0, 0),
    ]
    cell = Cell.objects.get(candidate__label="good", answer="Answer 2")
    assert (cell.error, cell.judge_input_tokens) == ("", 7 + 14)
    assert "Ask again" not in alice.get(page).content.decode()


def test_a_comparison_without_gaps_is_not_resumed(cast: Cast, provider: Provider) -> None:
    make_connection(cast.project, provider.url)
    comparison = make_comparison(cast.project)
    with pytest.raises(NothingToResume, match="still working"):
        resume_comparison(comparison, by=None)
    run(comparison)

    with pytest.raises(NothingToResume, match="Nothing is left"):
        resume_comparison(comparison, by=None)


def test_the_judge_s_version_is_the_one_that_was_named(cast: Cast, provider: Provider) -> None:
    make_connection(cast.project, provider.url)
    first = make_judge(cast.project)
    save_version(first.judge, model_ref="local/other", settings=first.settings, by=None, at=NOON)

    newest = make_comparison(cast.project, grading=JUDGED)
    named = make_comparison(
        cast.project,
        dataset_version=newest.dataset_version,
        grading=Grading("judge", {"judge": "Correctness", "version": 1}),
    )

    assert newest.grader_settings == {"judge": "correctness", "version": 2}
    assert named.judge_version == first
    assert named.grader_label == "Judge: correctness v1"


@pytest.mark.parametrize(
    ("settings", "error", "sentence"),
    [
        ({}, InvalidInput, "Name the judge"),
        ({"judge": "nobody"}, NotFound, "no judge “nobody”"),
        ({"judge": "correctness", "version": 7}, NotFound, "v7"),
        ({"judge": "elsewhere"}, NotFound, "no judge"),
        ({"judge": "pairs"}, InvalidInput, "compares two answers"),
    ],
)
def test_a_judge_that_cannot_grade_a_comparison_is_refused(
    cast: Cast, settings: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    make_judge(cast.project)
    make_judge(cast.project, "pairs", settings=BETTER.settings)
    make_judge(cast.other_project, "elsewhere")

    with pytest.raises(error, match=sentence):
        make_comparison(cast.project, grading=Grading("judge", settings))


def test_pages_and_report_tell_of_the_judge(cast: Cast, provider: Provider, alice: Client) -> None:
    provider.rules["judge"] = lambda asked: said("fail", HOSTILE)
    comparison = judged(cast, provider, refs=["local/good"])
    run(comparison)
    base = f"/p/{cast.project.slug}/evals/{comparison.pk}/"

    page = alice.get(base).content.decode()
    row = alice.get(f"{base}rows/0/").content.decode()

    comparison.refresh_from_db()
    assert "Judge: correctness v1" in page
    assert "not calibrated" in page
    listed = alice.get(f"/p/{cast.project.slug}/evals/").content.decode()
    assert "not calibrated" in listed
    assert "Judging 6 answers took" in page
    assert "alert(1)" in row
    assert "not calibrated" in row
    assert "<script>alert(1)" not in row
    assert "Judge: correctness v1" in as_html(comparison)


def test_the_form_offers_judges_beside_the_graders(
    cast: Cast, provider: Provider, alice: Client
) -> None:
    make_connection(cast.project, provider.url)
    version = make_judge(cast.project)
    make_judge(cast.other_project, "elsewhere")
    made = make_comparison(cast.project)

    page = alice.get(f"/p/{cast.project.slug}/evals/new/").content.decode()
    sent = {
        "version": str(made.dataset_version_id), "split": "heldout", "temperature": "0",
        "max_tokens": "64", "grader": f"judge:{version.pk}", "form-TOTAL_FORMS": "1",
        "form-INITIAL_FORMS": "0", "form-0-model_ref": "local/good",
    }  # fmt: skip
    answer = alice.post(f"/p/{cast.project.slug}/evals/new/", sent)

    assert "Judge: correctness v1" in page
    assert "elsewhere" not in page
    assert answer.status_code == 302
    assert Comparison.objects.latest("pk").judge_version == version


def test_a_judge_is_made_edited_and_tried_on_its_pages(
    cast: Cast, provider: Provider, alice: Client
) -> None:
    make_connection(cast.project, provider.url)
    provider.rules["judge"] = lambda _: said("4", "A slip.")
    base = f"/p/{cast.project.slug}/evals/judges/"
    fields = {
        "kind": "single", "name": "Help", "model_ref": "local/judge",
        "criteria": "Be kind.", "scale": "1 | 0 | bad\n4 | 1 | good", "ordinal": "on",
        "template": HELPFULNESS.settings.template, "samples": "1", "combine": "majority",
        "temperature": "0", "max_tokens": "100", "structured": "on",
        "question": "Why?", "answer": "Because.",
    }  # fmt: skip

    tried = alice.post(f"{base}try/", fields).content.decode()
    shown = alice.post(f"{base}preview/", fields).content.decode()
    made = alice.post(f"{base}new/", fields, follow=True).content.decode()
    judge = Judge.objects.get(name="Help")
    edited = alice.post(
        f"{base}{judge.pk}/edit/", {**fields, "criteria": "Be <b>brief</b>."}, follow=True
    ).content.decode()

    assert "A slip." in tried
    assert "Because." in shown
    assert "Be kind." in made
    assert "Be &lt;b&gt;brief&lt;/b&gt;." in edited
    assert list(judge.versions.order_by("number").values_list("number", flat=True)) == [1, 2]


def test_the_editor_opens_beside_a_version_of_rows_without_a_conversation(
    cast: Cast, alice: Client
) -> None:
    dataset = make_dataset(cast.project)
    add_examples(dataset, rows=[{"inputs": {"goal": "hike", "minutes": 30}}])
    freeze_version(dataset, by=None, at=NOON)

    page = alice.get(f"/p/{cast.project.slug}/evals/judges/new/")

    assert page.status_code == 200
    assert INVENTED["question"] in page.content.decode()


@pytest.mark.parametrize("preset", list(PRESETS))
def test_every_rubric_opens_in_the_editor(cast: Cast, alice: Client, preset: str) -> None:
    page = alice.get(f"/p/{cast.project.slug}/evals/judges/new/?preset={preset}")

    assert page.status_code == 200
    assert PRESETS[preset].help in page.content.decode()


def test_a_form_that_will_not_do_says_so_where_it_is(cast: Cast, alice: Client) -> None:
    base = f"/p/{cast.project.slug}/evals/judges/"
    fields = {"kind": "single", "name": "x", "scale": "only one", "template": "no answer"}

    answer = alice.post(f"{base}new/", fields)
    shown = alice.post(f"{base}preview/", fields)
    tried = alice.post(f"{base}try/", fields)

    assert answer.status_code == 422
    assert "2 to 20 levels" in answer.content.decode()
    assert shown.status_code == tried.status_code == 200
    assert Judge.objects.count() == 0


def test_viewers_read_judges_and_strangers_see_none(cast: Cast) -> None:
    version = make_judge(cast.project)
    url = f"/p/{cast.project.slug}/evals/judges/{version.judge_id}/"
    victor, charlie = Client(), Client()
    victor.force_login(cast.victor)
    charlie.force_login(cast.charlie)

    assert victor.get(url).status_code == 200
    assert victor.get(f"{url}edit/").status_code == 403
    assert charlie.get(url).status_code == 404
    elsewhere = f"/p/{cast.other_project.slug}/evals/judges/{version.judge_id}/"
    assert charlie.get(elsewhere).status_code == 404


def test_judges_over_http(cast: Cast, api: Client) -> None:
    made = api.post(
        "/api/v1/judges",
        {"name": "help", "preset": "helpfulness", "model_ref": "openai/gpt", "samples": 3,
         "parameters": {"temperature": 0.7}},
        content_type="application/json",
    )  # fmt: skip
    one = f"/api/v1/judges/{made.json()['judge']}"
    next_one = {"model_ref": "openai/gpt", "criteria": "Brief."}
    again = [api.post(f"{one}/versions", next_one, content_type="application/json")
             for _ in range(2)]  # fmt: skip
    changed = api.patch(one, {"archived": True}, content_type="application/json")

    assert made.status_code == 201
    assert [answer.status_code for answer in again] == [201, 200]
    assert again[1].json()["number"] == 2
    assert again[1].json()["samples"] == 3
    assert changed.json()["archived_at"] is not None
    assert [j["name"] for j in api.get("/api/v1/judges").json()["judges"]] == ["help"]
    assert len(api.get(f"{one}/versions").json()["versions"]) == 2


def test_a_comparison_is_judged_over_http(cast: Cast, api: Client, provider: Provider) -> None:
    make_connection(cast.project, provider.url)
    make_judge(cast.project)
    version = make_comparison(cast.project).dataset_version
    sent = {
        "name": "n", "dataset": version.dataset.slug, "version": version.number,
        "candidates": [{"label": "a", "model_ref": "local/good"}],
        "grader": "judge", "grader_settings": {"judge": "correctness"},
    }  # fmt: skip

    made = api.post("/api/v1/comparisons", sent, content_type="application/json")

    assert made.status_code == 201
    assert made.json()["judge_version"] == 1
    assert made.json()["grader_settings"] == {"judge": "correctness", "version": 1}
