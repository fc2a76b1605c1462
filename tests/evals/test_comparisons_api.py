"""Comparisons over HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from tests.conftest import Cast
from tests.evals.factories import make_cells, make_comparison, make_version


def test_a_program_starts_a_comparison_and_reads_what_it_found(api: Client, cast: Cast) -> None:
    make_version(cast.project)
    body = {
        "name": "Nightly", "dataset": "answers", "version": 1, "limit": 4,
        "candidates": [{"label": "a", "model_ref": "x/a"}, {"label": "b", "model_ref": "x/b"}],
    }  # fmt: skip

    made = api.post("/api/v1/comparisons", json.dumps(body), content_type="application/json")

    assert made.status_code == 201
    assert made.json()["rows"] == 4
    found = _read(api, made.json()["id"])
    assert [c["score"] for c in found["candidates"]] == [None, None]
    assert found["state"] == "queued"


def test_candidates_come_with_interval_and_paired_difference(api: Client, cast: Cast) -> None:
    comparison = make_comparison(cast.project, refs=["x/a", "x/b"])
    first, second = comparison.candidates.select_related("comparison").order_by("position")
    make_cells(first, [0, 0, 0, 1, 1, 1])
    make_cells(second, [1, 1, 1, 1, 0, None])

    base, other = _read(api, str(comparison.pk))["candidates"]

    assert base["difference"] is None
    assert base["score"]["mean"] == 0.5
    assert (other["score"]["n"], other["failures"]) == (5, 1)
    assert other["difference"]["interval"]["n"] == 5
    assert other["difference"]["interval"]["mean"] == 0.4
    assert (other["difference"]["better"], other["difference"]["worse"]) == (3, 1)


def test_a_model_ref_that_is_none_is_refused_at_once(api: Client, cast: Cast) -> None:
    make_version(cast.project)
    body = {
        "name": "Nightly", "dataset": "answers", "version": 1,
        "candidates": [{"label": "a", "model_ref": "a\nb"}],
    }  # fmt: skip

    answer = api.post("/api/v1/comparisons", json.dumps(body), content_type="application/json")

    assert answer.status_code == 400
    assert "Name a model" in answer.json()["error"]["message"]


def test_a_comparison_is_graded_as_asked_for(api: Client, cast: Cast) -> None:
    make_version(cast.project)
    graders = {one["name"]: one for one in api.get("/api/v1/graders").json()["graders"]}
    body = {
        "name": "Nightly", "dataset": "answers", "version": 1, "grader": "similarity",
        "candidates": [{"label": "a", "model_ref": "x/a"}],
    }  # fmt: skip

    made = api.post("/api/v1/comparisons", json.dumps(body), content_type="application/json")

    assert graders["regex"]["schema"]["required"] == ["pattern"]
    assert made.json()["grader"] == "similarity"
    assert made.json()["pass_mark"] == graders["similarity"]["pass_mark"]


@pytest.mark.parametrize(
    ("graded", "sentence"),
    [
        ({"grader": "vibes"}, "There is no grader “vibes”."),
        ({"grader": "regex"}, "'pattern' is a required property"),
        ({"grader": "regex", "grader_settings": {"pattern": "("}}, "The pattern cannot be read"),
        ({"pass_mark": 0}, "The pass mark is a share above 0, up to 1."),
    ],
)
def test_a_grader_that_cannot_work_is_refused(
    api: Client, cast: Cast, graded: dict[str, Any], sentence: str
) -> None:
    make_version(cast.project)
    candidates = [{"label": "a", "model_ref": "x/a"}]
    body = {"name": "N", "dataset": "answers", "version": 1, "candidates": candidates, **graded}

    answer = api.post("/api/v1/comparisons", json.dumps(body), content_type="application/json")

    assert answer.status_code == 400
    assert sentence in answer.json()["error"]["message"]


def _read(api: Client, comparison: str) -> Any:
    return api.get(f"/api/v1/comparisons/{comparison}").json()
