"""The registry over HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from finetunes.actions.registry import promote
from finetunes.models import Alias
from tests.conftest import Cast
from tests.evals.factories import make_comparison
from tests.factories import make_api_key
from tests.registry.factories import NOON, make_model, make_run


def put(api: Client, path: str, body: dict[str, Any]) -> Any:
    return api.put(f"/api/v1/{path}", json.dumps(body), content_type="application/json")


def test_a_deployment_polls_an_alias_cheaply(api: Client, cast: Cast) -> None:
    model = make_model(cast.project, versions=2)
    promote(model.versions.get(number=1), alias="production", by=None, at=NOON, reason="Go")
    first = api.get("/api/v1/models/capital-letter@production")

    again = api.get(
        "/api/v1/models/capital-letter@production", headers={"If-None-Match": first.headers["ETag"]}
    )
    promote(model.versions.get(number=2), alias="production", by=None, at=NOON, reason="Go")
    moved = api.get(
        "/api/v1/models/capital-letter@production", headers={"If-None-Match": first.headers["ETag"]}
    )

    assert first.json()["ref"] == "capital-letter:1"
    assert first.json()["model"] == "capital-letter@production"
    assert first.json()["base_url"].endswith("/v1")
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert (moved.status_code, moved.json()["version"]) == (200, 2)


@pytest.mark.parametrize("tag", ["W/{tag}", '"other", {tag}', "*"])
def test_caches_may_weaken_or_list_the_tag(api: Client, cast: Cast, tag: str) -> None:
    model = make_model(cast.project)
    promote(model.versions.get(), alias="production", by=None, at=NOON, reason="Go")
    url = "/api/v1/models/capital-letter@production"
    etag = api.get(url).headers["ETag"]

    assert api.get(url, headers={"If-None-Match": tag.format(tag=etag)}).status_code == 304


def test_the_newest_version_can_be_looked_up_without_an_alias(api: Client, cast: Cast) -> None:
    make_model(cast.project, versions=3)

    found = api.get("/api/v1/models/capital-letter@latest").json()

    assert (found["version"], found["promoted_at"]) == (3, None)


def test_an_alias_that_is_not_there_is_a_sentence(api: Client, cast: Cast) -> None:
    make_model(cast.project)

    answer = api.get("/api/v1/models/capital-letter@staging")

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "model_not_found"
    assert "capital-letter:1" in answer.json()["error"]["message"]


def test_a_program_registers_promotes_and_rolls_back(api: Client, cast: Cast) -> None:
    for _ in range(2):
        made = api.post(
            "/api/v1/models/capital-letter/versions",
            json.dumps({"run": str(make_run(cast.project).pk)}),
            content_type="application/json",
        )
        assert made.status_code == 201
        put(
            api,
            "models/capital-letter/aliases/production",
            {"version": made.json()["version"], "reason": "Go"},
        )

    back = api.post("/api/v1/models/capital-letter/aliases/production/roll-back")

    assert back.json()["version"] == 1
    (model,) = api.get("/api/v1/models").json()
    assert (model["aliases"], model["latest"]) == ({"production": 1}, 2)


def test_an_alias_does_not_move_without_evidence_or_reason(api: Client, cast: Cast) -> None:
    make_model(cast.project)
    path = "models/capital-letter/aliases/production"

    answers = [put(api, path, {"version": 1, **given}) for given in ({}, {"reason": "  "})]

    assert [answer.status_code for answer in answers] == [400, 400]
    assert answers[0].json()["error"]["code"] == "no_grounds"
    assert "send a reason" in answers[0].json()["error"]["message"]
    assert not Alias.objects.exists()


def test_evidence_that_is_about_something_else_is_refused(api: Client, cast: Cast) -> None:
    make_model(cast.project)
    comparison = make_comparison(cast.project)

    answer = put(
        api,
        "models/capital-letter/aliases/production",
        {"version": 1, "comparison": str(comparison.pk)},
    )

    assert answer.status_code == 400
    assert "did not ask capital-letter:1" in answer.json()["error"]["message"]


def test_the_list_of_models_reads_no_list_of_files(api: Client, cast: Cast) -> None:
    make_model(cast.project, versions=3)
    make_model(cast.project, name="empty", versions=0)

    with CaptureQueriesContext(connection) as queries:
        found = api.get("/api/v1/models").json()

    assert [(model["name"], model["latest"]) for model in found] == [
        ("capital-letter", 3), ("empty", None),
    ]  # fmt: skip
    assert not any("artifacts" in query["sql"] for query in queries)


def test_an_id_that_is_no_uuid_is_not_found(api: Client) -> None:
    for path in ("training-runs", "comparisons", "jobs"):
        assert api.get(f"/api/v1/{path}/{'-' * 36}/").status_code == 404


def test_a_key_of_another_project_sees_nothing(cast: Cast) -> None:
    make_model(cast.project)
    _, text = make_api_key(cast.other_project)
    stranger = Client(headers={"Authorization": f"Bearer {text}"})

    assert stranger.get("/api/v1/models").json() == []
    assert stranger.get("/api/v1/models/capital-letter@latest").status_code == 404
    assert put(stranger, "models/capital-letter/aliases/x", {"version": 1}).status_code == 404


def test_a_reading_key_may_not_promote(cast: Cast) -> None:
    make_model(cast.project)
    _, text = make_api_key(cast.project, scopes=["read"])
    reader = Client(headers={"Authorization": f"Bearer {text}"})

    assert put(reader, "models/capital-letter/aliases/x", {"version": 1}).status_code == 403
