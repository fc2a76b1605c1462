"""Training runs over HTTP."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from django.test import Client

from finetunes.models import TrainingRun
from tests.conftest import Cast
from tests.factories import make_api_key
from tests.finetunes.factories import make_events, make_run, make_version, metrics

RUNS = "/api/v1/training-runs/"


def post(client: Client, path: str, body: dict[str, Any] | None = None) -> Any:
    return client.post(RUNS + path, body or {}, content_type="application/json")


def test_a_run_is_launched_read_and_listed(cast: Cast, api: Client) -> None:
    make_version(cast.project)
    body = {
        "name": "Nightly",
        "dataset": "capital-letter",
        "version": 1,
        "base_model": "nano-base",
        "hyperparameters": {"epochs": 2, "r": 8},
    }

    made = post(api, "", body)

    assert made.status_code == 201
    told = api.get(f"{RUNS}{made.json()['id']}/").json()
    assert (told["state"], told["dataset"], told["version"]) == ("queued", "capital-letter", 1)
    assert told["adapter"]["r"] == 8
    assert [run["id"] for run in api.get(RUNS).json()["runs"]] == [told["id"]]


def test_a_retried_call_starts_one_run(cast: Cast, api: Client) -> None:
    make_version(cast.project)
    body = {
        "name": "Nightly",
        "dataset": "capital-letter",
        "version": 1,
        "base_model": "nano-base",
        "start_request_id": str(uuid4()),
    }

    first, second = post(api, "", body), post(api, "", body)

    assert first.json()["id"] == second.json()["id"]
    assert TrainingRun.objects.count() == 1


def test_what_cannot_be_launched_is_refused_with_a_sentence(cast: Cast, api: Client) -> None:
    make_version(cast.project)
    body = {"name": "x", "dataset": "capital-letter", "version": 1, "base_model": "gpt-42"}

    unknown_base = post(api, "", body)
    unknown_version = post(api, "", {**body, "base_model": "nano-base", "version": 9})

    assert unknown_base.status_code == 400
    assert "nano-base" in unknown_base.json()["error"]["message"]
    assert unknown_version.status_code == 404


def test_events_are_read_on_from_a_number(cast: Cast, api: Client) -> None:
    run = make_run(cast.project)
    make_events(run, metrics(1, 4.0), metrics(2, 3.0), metrics(3, 2.0))

    events = api.get(f"{RUNS}{run.pk}/events/?after=1").json()

    assert [(event["seq"], event["body"]["loss"]) for event in events] == [(2, 3.0), (3, 2.0)]


def test_a_run_is_cancelled_once(cast: Cast, api: Client) -> None:
    run = make_run(cast.project)

    first, second = post(api, f"{run.pk}/cancel/"), post(api, f"{run.pk}/cancel/")

    assert first.json()["state"] == "cancelled"
    assert (second.status_code, second.json()["error"]["code"]) == (409, "run_finished")


def test_another_projects_run_is_not_there(cast: Cast, api: Client) -> None:
    theirs = make_run(cast.other_project)

    assert api.get(f"{RUNS}{theirs.pk}/").status_code == 404
    assert api.get(f"{RUNS}{theirs.pk}/events/").status_code == 404
    assert post(api, f"{theirs.pk}/cancel/").status_code == 404
    assert api.get(RUNS).json()["runs"] == []


def test_a_key_that_may_only_read_launches_and_stops_nothing(cast: Cast) -> None:
    _, text = make_api_key(cast.project, scopes=["read"])
    reader = Client(headers={"Authorization": f"Bearer {text}"})
    run = make_run(cast.project)

    assert reader.get(f"{RUNS}{run.pk}/").status_code == 200
    assert post(reader, "", {}).status_code == 403
    assert post(reader, f"{run.pk}/cancel/").status_code == 403
