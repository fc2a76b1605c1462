"""Scores, comments and corrected answers over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from requests_log.models import LoggedScore
from tests.conftest import Cast
from tests.curate.factories import make_request
from tests.factories import make_api_key
from workbench.core.ids import uuid7

JSON: Any = {"content_type": "application/json"}


def test_a_score_is_given_changed_listed_and_deleted(cast: Cast, api: Client) -> None:
    row = make_request(cast.project)
    sent = {
        "request_id": str(row.id),
        "name": "tone",
        "value": "rude",
        "data_type": "category",
        "origin": "judge",
        "author": "judge-1",
        "comment": "no greeting",
    }

    made = api.post("/api/v1/scores/", sent, **JSON)
    path = f"/api/v1/scores/{made.json()['id']}/"
    changed = api.patch(path, {"value": "polite"}, **JSON)
    listed = api.get("/api/v1/scores/", {"request_id": str(row.id), "name": "tone"})

    assert made.status_code == 201
    assert made.json() | sent == made.json()
    assert changed.json()["value"] == "polite"
    assert changed.json()["comment"] == "no greeting"
    assert changed.json()["edited_at"] is not None
    assert [one["id"] for one in listed.json()["scores"]] == [made.json()["id"]]
    assert api.delete(path).status_code == 204
    assert api.get(path).status_code == 404


def test_an_id_makes_giving_a_score_again_safe(cast: Cast, api: Client) -> None:
    sent = {"id": str(uuid7()), "request_id": str(uuid7()), "name": "ok", "value": True}

    answers = [api.post("/api/v1/scores/", sent, **JSON) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [201, 409]
    assert answers[1].json()["error"]["code"] == "score_exists"
    assert LoggedScore.objects.in_project(cast.project).get().value is True


@pytest.mark.parametrize(
    "wrong",
    [
        {"request_id": None},
        {"trace_id": "t"},
        {"name": ""},
        {"value": None},
        {"value": {"a": 1}},
        {"data_type": "number", "value": "x"},
        {"data_type": "stars"},
        {"origin": "oracle"},
        {"id": "00000000-0000-4000-8000-000000000000"},
        {"at": "yesterday"},
        {"comment": "a\u0000b"},
    ],
)
def test_a_score_that_makes_no_sense_is_refused(
    cast: Cast, api: Client, wrong: dict[str, Any]
) -> None:
    sent = {"request_id": str(uuid7()), "name": "ok", "value": 1} | wrong

    answer = api.post("/api/v1/scores/", sent, **JSON)

    assert answer.status_code == 400
    assert answer.json()["error"]["message"]
    assert not LoggedScore.objects.in_project(cast.project).exists()


def test_scores_of_another_project_are_not_there(cast: Cast, api: Client) -> None:
    other = Client(headers={"Authorization": f"Bearer {make_api_key(cast.other_project)[1]}"})
    sent = {"request_id": str(uuid7()), "name": "ok", "value": 1}
    path = f"/api/v1/scores/{other.post('/api/v1/scores/', sent, **JSON).json()['id']}/"

    assert api.get(path).status_code == 404
    assert api.patch(path, {"value": 2}, **JSON).status_code == 404
    assert api.delete(path).status_code == 404
    assert api.get("/api/v1/scores/").json()["scores"] == []


def test_a_reading_key_changes_nothing(cast: Cast) -> None:
    key = make_api_key(cast.project, scopes=["read"])[1]
    reader = Client(headers={"Authorization": f"Bearer {key}"})
    sent = {"request_id": str(uuid7()), "name": "ok", "value": 1}

    assert reader.post("/api/v1/scores/", sent, **JSON).status_code == 403
    assert reader.get("/api/v1/scores/").status_code == 200


def test_comments_are_written_changed_and_deleted(cast: Cast, api: Client) -> None:
    row = make_request(cast.project)
    path = f"/api/v1/requests/{row.id}/comments/"

    made = api.post(path, {"text": "Look here."}, **JSON)
    own = f"/api/v1/comments/{made.json()['id']}/"
    api.patch(own, {"text": "Look here, please."}, **JSON)
    listed = api.get(path).json()

    assert made.status_code == 201
    assert [one["text"] for one in listed] == ["Look here, please."]
    assert api.delete(own).status_code == 204
    assert api.get(path).json() == []
    assert api.get(f"/api/v1/requests/{uuid7()}/comments/").status_code == 404


def test_an_answer_is_corrected_and_the_correction_withdrawn(cast: Cast, api: Client) -> None:
    row = make_request(cast.project, answer="5")
    path = f"/api/v1/requests/{row.id}/corrections/"

    first = api.post(path, {"answer": "4", "note": "sum", "based_on": 0}, **JSON)
    stale = api.post(path, {"answer": "3", "based_on": 0}, **JSON)
    withdrawn = api.post(path, {"answer": None}, **JSON)
    listed = api.get(path).json()

    assert first.json()["answer"] == {"role": "assistant", "content": "4"}
    assert stale.status_code == 409
    assert stale.json()["error"]["code"] == "corrected_meanwhile"
    assert withdrawn.json()["answer"] is None
    assert [one["number"] for one in listed] == [2, 1]
