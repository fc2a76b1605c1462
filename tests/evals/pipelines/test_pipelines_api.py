"""Pipelines and runs over HTTP."""

from __future__ import annotations

from typing import Any

from django.test import Client

from evals.pipelines.models import Call, Pipeline, Run
from tests.conftest import Cast
from tests.evals.answering import Provider
from tests.evals.factories import make_connection, make_version
from tests.evals.pipelines.factories import TEACH, make_pipeline, make_run, perform_run

PIPELINES = "/api/v1/pipelines"
RUNS = "/api/v1/pipeline-runs"


def send(api: Client, path: str, body: Any, method: str = "post") -> Any:
    return getattr(api, method)(path, body, content_type="application/json")


def test_a_pipeline_is_made_changed_and_deleted(
    api: Client, cast: Cast, provider: Provider
) -> None:
    make_connection(cast.project, provider.url)
    made = send(api, PIPELINES, {"name": "Teach", "steps": [TEACH]})
    one = f"{PIPELINES}/{made.json()['id']}"
    steps = [{**TEACH, "settings": {**TEACH["settings"], "seconds": 9}}]
    changed = send(api, one, {"steps": steps}, "patch")
    same = send(api, one, {"name": "Teacher", "steps": steps}, "patch")
    deleted = api.delete(one)

    assert made.status_code == 201
    assert made.json()["steps"][0]["settings"]["reuse"] is True
    assert (made.json()["definition"], changed.json()["definition"]) == (1, 2)
    assert (same.json()["definition"], same.json()["name"]) == (2, "Teacher")
    assert deleted.status_code == 204
    assert api.get(one).status_code == 404


def test_what_is_wrong_with_a_step_is_said_with_its_name(api: Client, cast: Cast) -> None:
    steps = [{"name": "pick", "kind": "best_of", "settings": {"samples": "tries"}}]

    refused = send(api, PIPELINES, {"name": "Pick", "steps": steps})

    assert refused.status_code == 400
    assert refused.json()["error"]["message"] == (
        "Step “pick”: There is no step “tries” before it to take. There are: none."
    )


def test_a_model_that_is_not_there_is_refused_when_a_pipeline_is_saved(
    api: Client, cast: Cast, provider: Provider
) -> None:
    connection = make_connection(cast.project, provider.url, model_names=["good"])
    made = send(api, PIPELINES, {"name": "Teach", "steps": [TEACH]})
    elsewhere = [{**TEACH, "settings": {**TEACH["settings"], "model": "elsewhere/good"}}]

    refused = send(api, PIPELINES, {"name": "Other", "steps": elsewhere})
    unchanged = send(api, f"{PIPELINES}/{made.json()['id']}", {"steps": elsewhere}, "patch")

    for answer in (refused, unchanged):
        assert answer.status_code == 400
        assert answer.json()["error"]["message"] == (
            "Step “teacher”: No connection serves “elsewhere/good”: none is named before its first "
            f"slash, and the default connection “{connection}” does not list it. Write "
            "connection/model, or add it to the connection's models."
        )
    assert Pipeline.objects.get().definitions_made == 1


def test_a_missing_variable_is_named_before_anything_is_asked(
    api: Client, cast: Cast, provider: Provider
) -> None:
    make_connection(cast.project, provider.url)
    one = f"{PIPELINES}/{make_pipeline(cast.project).pk}"

    for path in ("runs", "dry-run", "validate"):
        refused = send(api, f"{one}/{path}", {"rows": [{"city": "Ulm"}]})
        assert refused.status_code == 400, path
        assert "Step “teacher” takes “n”" in refused.json()["error"]["message"]
    assert provider.asked == []
    assert not Run.objects.exists()


def test_kinds_of_steps_come_with_the_schema_of_their_settings(api: Client) -> None:
    kinds = {one["name"]: one for one in api.get("/api/v1/pipeline-steps").json()["steps"]}

    assert {"prompt", "sample", "best_of", "grade", "filter", "transform"} <= set(kinds)
    assert kinds["prompt"]["schema"]["required"] == ["model"]


def test_a_run_is_tried_priced_started_and_read(
    api: Client, cast: Cast, provider: Provider
) -> None:
    make_connection(cast.project, provider.url)
    one = f"{PIPELINES}/{make_pipeline(cast.project).pk}"
    source = {"csv": "n,answer\n1,Answer 1\n2,Answer 2\n"}

    valid = send(api, f"{one}/validate", source)
    priced = send(api, f"{one}/dry-run", source)
    started = send(api, f"{one}/runs", {**source, "limit": 1, "is_test": True})
    run = perform_run(Run.objects.get(pk=started.json()["id"]))
    told = api.get(f"{RUNS}/{run.pk}")
    rows = api.get(f"{RUNS}/{run.pk}/rows").json()
    cell = api.get(f"{RUNS}/{run.pk}/cells/0/0").json()

    assert valid.json()["columns"] == ["n", "answer"]
    assert (priced.json()["rows"], priced.json()["steps"][0]["calls"]) == (2, 2)
    assert "nobody knows what local good costs" in priced.json()["unpriced"][0]
    assert (started.status_code, started.json()["state"]) == (201, "queued")
    assert told.json()["totals"]["calls"]["done"] == 1
    assert api.get(f"{RUNS}/{run.pk}", headers={"If-None-Match": told["ETag"]}).status_code == 304
    assert [row["cells"][0]["value"] for row in rows["rows"]] == ["Answer 1"]
    assert cell["calls"][0]["request"]["messages"][0]["content"] == "Question 1?"
    assert "Answer 1" in cell["calls"][0]["answer"]


def test_rows_come_in_pages(api: Client, cast: Cast, provider: Provider) -> None:
    make_connection(cast.project, provider.url)
    run = perform_run(make_run(make_pipeline(cast.project)))

    first = api.get(f"{RUNS}/{run.pk}/rows?limit=4").json()
    second = api.get(f"{RUNS}/{run.pk}/rows?limit=4&after={first['next']}").json()
    failed = api.get(f"{RUNS}/{run.pk}/rows?state=failed").json()

    assert [row["position"] for row in first["rows"] + second["rows"]] == list(range(6))
    assert second["next"] is None
    assert failed["rows"] == []


def test_a_frozen_version_and_its_answers_can_be_run_on(
    api: Client, cast: Cast, provider: Provider
) -> None:
    make_connection(cast.project, provider.url)
    version = make_version(cast.project)
    steps = [
        {"name": "teacher", "kind": "prompt", "settings": {"model": "local/good"}},
        {"name": "right", "kind": "grade", "settings": {"answer": "teacher"}},
    ]
    made = send(api, PIPELINES, {"name": "Again", "steps": steps}).json()
    body = {"dataset": version.dataset.slug, "version": 1}

    started = send(api, f"{PIPELINES}/{made['id']}/runs", body)
    run = perform_run(Run.objects.get(pk=started.json()["id"]))

    rows = api.get(f"{RUNS}/{run.pk}/rows").json()["rows"]
    assert [row["cells"][1]["value"] for row in rows] == [1] * 6


def test_a_queued_run_is_cancelled_and_let_go_on(
    api: Client, cast: Cast, provider: Provider
) -> None:
    make_connection(cast.project, provider.url)
    run = make_run(make_pipeline(cast.project))

    cancelled = send(api, f"{RUNS}/{run.pk}/cancel", {})
    resumed = send(api, f"{RUNS}/{run.pk}/resume", {})
    done = perform_run(Run.objects.get(pk=run.pk))

    assert (cancelled.json()["state"], resumed.json()["state"]) == ("cancelled", "queued")
    assert done.state == "done"
    assert Call.objects.of_run(run).count() == 6


def test_another_projects_pipelines_are_not_found(api: Client, cast: Cast) -> None:
    pipeline = make_pipeline(cast.other_project)
    run = make_run(pipeline)

    assert api.get(f"{PIPELINES}/{pipeline.pk}").status_code == 404
    assert api.get(f"{RUNS}/{run.pk}").status_code == 404
    assert send(api, f"{RUNS}/{run.pk}/resume", {}).status_code == 404
