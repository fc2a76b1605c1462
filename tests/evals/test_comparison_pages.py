"""The pages of comparisons."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from evals.actions import Grading
from evals.models import Candidate, Comparison
from tests.conftest import Cast
from tests.evals.factories import HOSTILE, NOON, make_cells, make_comparison, make_version
from workbench.core.models import Job, User


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def evals(cast: Cast, path: str = "") -> str:
    return f"/p/{cast.project.slug}/evals/{path}"


def text_of(answer: Any) -> str:
    return str(answer.content.decode())


def job_of(comparison: Comparison) -> Job:
    """The comparison's job as it stands."""
    return Job.objects.get(payload__comparison=str(comparison.pk))


def finish(comparison: Comparison, state: str = "succeeded", **changes: Any) -> Comparison:
    Job.objects.filter(pk=job_of(comparison).pk).update(state=state, finished_at=NOON, **changes)
    return Comparison.objects.select_related("job").get(pk=comparison.pk)


def candidates_of(comparison: Comparison) -> list[Candidate]:
    return list(comparison.candidates.select_related("comparison").order_by("position"))


def make_finished(cast: Cast, *scores: list[float | None], **fields: Any) -> Comparison:
    """A done comparison of candidates a, b … with these scores over the rows."""
    refs = [f"local/{name}" for name in "abcdefgh"[: len(scores)]]
    comparison = make_comparison(cast.project, refs=refs, **fields)
    for candidate, own in zip(candidates_of(comparison), scores, strict=True):
        make_cells(candidate, own)
    return finish(comparison)


def test_before_the_first_comparison_the_page_says_what_is_needed(
    alice: Client, cast: Cast
) -> None:
    assert "Freeze a version with some held-out rows first" in text_of(alice.get(evals(cast)))

    make_version(cast.project)

    assert "New comparison" in text_of(alice.get(evals(cast)))


def test_the_list_shows_the_mean_of_every_candidate(alice: Client, cast: Cast) -> None:
    make_finished(cast, [1, 1, 1, 0, 0, 0], [1, None, 1, 1, 1, 1])

    page = text_of(alice.get(evals(cast)))

    assert "Who knows more" in page
    assert "50.0 %" in page
    assert "100.0 %" in page
    assert "Answers v1" in page


def test_the_list_needs_few_queries_whatever_its_length(alice: Client, cast: Cast) -> None:
    version = make_version(cast.project)
    for _ in range(25):
        make_comparison(cast.project, refs=["local/a", "local/b"], dataset_version=version)

    with CaptureQueriesContext(connection) as queries:
        page = text_of(alice.get(evals(cast)))

    assert len(queries) <= 15
    assert "20 comparisons" in page
    assert "Older" in page


def test_a_comparison_shows_scores_intervals_differences_and_failures(
    alice: Client, cast: Cast
) -> None:
    made = make_finished(cast, [1, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, None])

    page = text_of(alice.get(evals(cast, f"{made.pk}/")))

    assert "16.7 %" in page
    assert "100.0 % to 100.0 %" in page
    assert "+80.0" in page
    assert "clearly better" in page
    assert "4 / 0" in page
    assert "It refused." in page
    assert '"error_x"' in page


def test_the_matrix_says_right_and_wrong_in_words(alice: Client, cast: Cast) -> None:
    made = make_finished(cast, [1, 0, 0, 0, 0, None])

    page = text_of(alice.get(evals(cast, f"{made.pk}/")))

    assert page.count("right: ") == 1
    assert page.count("wrong: ") == 4
    assert page.count("failed: ") == 1


def test_a_comparison_needs_few_queries_whatever_its_size(alice: Client, cast: Cast) -> None:
    version = make_version(cast.project, rows=40)
    made = make_finished(cast, *[[1.0, 0.0, None, 1.0] * 10] * 8, dataset_version=version)

    with CaptureQueriesContext(connection) as queries:
        alice.get(evals(cast, f"{made.pk}/"))

    assert len(queries) <= 15


@pytest.mark.parametrize(
    ("show", "positions"),
    [("", [0, 1, 2, 3]), ("disagree", [1, 2]), ("wrong-0", [1, 3]), ("wrong-1", [2, 3])],
)
def test_the_matrix_can_be_narrowed_to_what_matters(
    alice: Client, cast: Cast, show: str, positions: list[int]
) -> None:
    version = make_version(cast.project, rows=4)
    made = make_finished(cast, [1, 0, 1, None], [1, 1, 0, 0], dataset_version=version)

    page = text_of(alice.get(evals(cast, f"{made.pk}/?show={show}")))

    assert [n for n in range(4) if f'id="row-{n}"' in page] == positions


@pytest.mark.parametrize("query", ["show=wrong-7", "show=odd", "after=x", "before=-1"])
def test_a_view_that_does_not_exist_is_a_sentence(alice: Client, cast: Cast, query: str) -> None:
    made = make_finished(cast, [1, 0, 1, 1, 1, 1])

    answer = alice.get(evals(cast, f"{made.pk}/?{query}"))

    assert answer.status_code == 400
    assert "first page" in text_of(answer) or "all rows" in text_of(answer)


def test_the_matrix_is_paged_both_ways(alice: Client, cast: Cast) -> None:
    version = make_version(cast.project, rows=60)
    made = make_finished(cast, [1.0] * 60, dataset_version=version)
    first = text_of(alice.get(evals(cast, f"{made.pk}/")))

    second = text_of(alice.get(evals(cast, f"{made.pk}/?after=24")))
    back = text_of(alice.get(evals(cast, f"{made.pk}/?before=25")))

    assert "after=24" in first
    assert "Earlier" not in first
    assert 'id="row-25"' in second
    assert "before=25" in second
    assert 'id="row-0"' in back
    assert 'id="row-25"' not in back
    assert "Earlier" not in back


def test_rows_beyond_the_limit_are_not_shown(alice: Client, cast: Cast) -> None:
    made = make_finished(cast, [1, 0], limit=2)

    page = text_of(alice.get(evals(cast, f"{made.pk}/")))

    assert 'id="row-1"' in page
    assert 'id="row-2"' not in page


def test_hostile_questions_answers_and_labels_are_shown_as_text(alice: Client, cast: Cast) -> None:
    version = make_version(cast.project, rows=1, questions=[HOSTILE])
    made = make_comparison(cast.project, dataset_version=version, name=HOSTILE[:100])
    made.candidates.update(label=HOSTILE[:50], model_ref=HOSTILE)
    make_cells(candidates_of(made)[0], [0.0], answer=HOSTILE)
    finish(made)

    for path in ("", "?show=wrong-0", "rows/0/", "rows/0/?part=inspector", "live/"):
        page = text_of(alice.get(evals(cast, f"{made.pk}/{path}")))

        assert "<script>alert" not in page
        assert "<img src=x" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_a_row_shows_every_whole_answer(alice: Client, cast: Cast) -> None:
    made = make_finished(cast, [1, 0, 0, 0, 0, 0], [None, 1, 1, 1, 1, 1])

    page = text_of(alice.get(evals(cast, f"{made.pk}/rows/0/?part=inspector")))

    assert "said 0" in page
    assert "It refused." in page
    assert "<html" not in page
    assert alice.get(evals(cast, f"{made.pk}/rows/99/")).status_code == 404
    assert alice.get(evals(cast, f"{made.pk}/rows/99999999999/")).status_code == 404


def test_polling_goes_on_while_answers_come_in_and_then_stops(alice: Client, cast: Cast) -> None:
    made = make_comparison(cast.project, refs=["local/a"])

    assert alice.get(evals(cast, f"{made.pk}/live/")).status_code == 200
    assert "Cancel" in text_of(alice.get(evals(cast, f"{made.pk}/")))

    finish(made)
    last = alice.get(evals(cast, f"{made.pk}/live/"))
    assert last.status_code == 286
    assert "Cancel" not in text_of(last)
    assert 'hx-swap-oob="true"' in text_of(last)


def test_a_failed_comparison_says_why(alice: Client, cast: Cast) -> None:
    made = finish(make_comparison(cast.project), "failed", error="There is no model “x:3”. Look.")

    page = text_of(alice.get(evals(cast, f"{made.pk}/")))

    assert "There is no model “x:3”. Look." in page
    assert "Compare again" in page


def test_an_editor_starts_a_comparison(cast: Cast) -> None:
    version = make_version(cast.project)
    bob = client_of(cast.bob)

    answer = bob.post(evals(cast, "new/"), _form(version.pk, ["a/b", "c/d"], limit="3"))

    made = Comparison.objects.get()
    assert answer.headers["Location"] == evals(cast, f"{made.pk}/")
    assert (made.name, made.rows, made.created_by) == ("a/b against c/d", 3, cast.bob)
    assert made.parameters["max_tokens"] == 64
    assert [c.model_ref for c in candidates_of(made)] == ["a/b", "c/d"]
    assert made.job is not None
    assert made.job.total == 6


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"form-0-model_ref": "", "form-1-model_ref": ""}, "Name one to 8 candidates"),
        ({"form-1-model_ref": "a/b"}, "Two candidates have the same label"),
        ({"form-1-model_ref": "", "form-1-label": "x"}, "Name the model, or clear the line"),
        ({"limit": "0"}, "greater than or equal to 1"),
        ({"version": str(uuid4())}, "Select a valid choice"),
        ({"split": "train"}, "has no train rows"),
    ],
)
def test_what_will_not_do_is_said_in_the_form(
    alice: Client, cast: Cast, changes: dict[str, str], sentence: str
) -> None:
    version = make_version(cast.project)

    answer = alice.post(evals(cast, "new/"), _form(version.pk, ["a/b", "c/d"]) | changes)

    assert answer.status_code == 422
    assert sentence in text_of(answer)
    assert not Comparison.objects.exists()


def test_a_comparison_is_started_with_a_grader_and_its_settings(alice: Client, cast: Cast) -> None:
    version = make_version(cast.project)
    graded = {"grader": "regex", "grader-pattern": "^Answer", "pass_mark": "0.5"}

    alice.post(evals(cast, "new/"), _form(version.pk, ["a/b"]) | graded)

    made = Comparison.objects.get()
    assert made.grader == "regex"
    assert made.grader_settings == {"pattern": "^Answer", "whole": False}
    assert made.pass_mark == 0.5
    page = text_of(alice.get(evals(cast, f"new/?like={made.pk}")))
    assert 'value="^Answer"' in page
    assert '<option value="regex" selected>' in page


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("json_schema", "grader-schema"),
        ("rouge", "longest common run"),
        ("vibes", "is the expected text; white space"),
    ],
)
def test_the_settings_of_a_grader_are_shown_when_it_is_chosen(
    alice: Client, cast: Cast, name: str, shown: str
) -> None:
    page = text_of(alice.get(evals(cast, f"new/grader/?grader={name}")))

    assert shown in page
    assert "null" not in page


@pytest.mark.parametrize(
    ("graded", "sentence"),
    [
        ({"grader": "regex"}, "This field is required"),
        ({"grader": "regex", "grader-pattern": "("}, "The pattern cannot be read"),
        ({"grader": "json_schema", "grader-schema": "{"}, "Enter a valid JSON"),
        ({"grader": "json_schema", "grader-schema": "[1]"}, "Write a JSON object"),
        ({"grader": "vibes"}, "Select a valid choice"),
        ({"pass_mark": "2"}, "less than or equal to 1"),
    ],
)
def test_what_a_grader_cannot_work_with_is_said_in_the_form(
    alice: Client, cast: Cast, graded: dict[str, str], sentence: str
) -> None:
    version = make_version(cast.project)

    answer = alice.post(evals(cast, "new/"), _form(version.pk, ["a/b"]) | graded)

    assert answer.status_code == 422
    assert sentence in text_of(answer)
    assert not Comparison.objects.exists()


def test_another_line_does_not_judge_the_grader_yet(alice: Client, cast: Cast) -> None:
    version = make_version(cast.project)
    graded = {"grader": "regex", "grader-whole": "on", "more": "1"}

    page = text_of(alice.post(evals(cast, "new/"), _form(version.pk, ["a/b"]) | graded))

    assert "This field is required" not in page
    (box,) = re.findall('<input[^>]*name="grader-whole"[^>]*>', page)
    assert "checked" in box


def test_an_answer_counts_as_right_from_the_pass_mark_on(alice: Client, cast: Cast) -> None:
    rouge = Grading("rouge")
    made = make_finished(cast, [0.25, 0.5, 0.75, 1, 0, None], grading=rouge)

    page = text_of(alice.get(evals(cast, f"{made.pk}/")))

    assert "graded by ROUGE (right from 0.5)" in page
    assert page.count("verdict--right") == 3
    assert page.count("verdict--wrong") == 2
    assert ">0.25<" in page
    assert 'a is wrong <span class="tabs__count">3<' in page
    wrong = text_of(alice.get(evals(cast, f"{made.pk}/?show=wrong-0")))
    assert "3 rows of 3" in wrong


def test_another_line_keeps_what_was_typed(alice: Client, cast: Cast) -> None:
    version = make_version(cast.project)
    form = _form(version.pk, ["a/b", "c/d"], name="Half done", more="1")

    page = text_of(alice.post(evals(cast, "new/"), form))

    assert 'value="a/b"' in page
    assert 'value="Half done"' in page
    assert 'name="form-2-model_ref"' in page
    assert not Comparison.objects.exists()


def test_a_version_of_another_project_cannot_be_compared_on(alice: Client, cast: Cast) -> None:
    make_version(cast.project)
    foreign = make_version(cast.other_project, name="Secret")

    answer = alice.post(evals(cast, "new/"), _form(foreign.pk, ["a/b"]))

    assert answer.status_code == 422
    assert "Secret" not in text_of(answer)


def test_cancelling_stops_the_job(alice: Client, cast: Cast) -> None:
    made = make_comparison(cast.project)

    alice.post(evals(cast, f"{made.pk}/cancel/"))

    assert job_of(made).state == "cancelled"


def test_a_viewer_reads_and_changes_nothing(cast: Cast) -> None:
    victor = client_of(cast.victor)
    made = make_comparison(cast.project)

    page = text_of(victor.get(evals(cast, f"{made.pk}/")))

    assert "Cancel" not in page
    assert victor.get(evals(cast, "new/")).status_code == 403
    victor.post(evals(cast, f"{made.pk}/cancel/"))
    assert job_of(made).state == "queued"


@pytest.mark.parametrize("path", ["", "live/", "rows/0/"])
def test_a_stranger_finds_nothing(cast: Cast, path: str) -> None:
    made = make_comparison(cast.project)
    charlie = client_of(cast.charlie)

    assert charlie.get(evals(cast, f"{made.pk}/{path}")).status_code == 404
    other = f"/p/{cast.other_project.slug}/evals/{made.pk}/{path}"
    assert charlie.get(other).status_code == 404


def _form(version: object, refs: list[str], **changes: str) -> dict[str, str]:
    lines = {f"form-{n}-model_ref": ref for n, ref in enumerate(refs)}
    labels = {f"form-{n}-label": "" for n in range(len(refs))}
    return {
        "version": str(version), "split": "heldout", "limit": "", "name": "", "temperature": "0",
        "max_tokens": "64", "form-TOTAL_FORMS": str(len(refs)), "form-INITIAL_FORMS": "0",
        "grader": "exact",
        **lines, **labels, **changes,
    }  # fmt: skip
