"""Monitors by page and API."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from evals.online.models import Alert, Monitor
from tests.conftest import Cast
from tests.curate.factories import MORNING, make_request
from tests.evals.online.test_running import JSON, make_monitor, measured

FORM = {
    "name": "Valid JSON", "query": "tag.route:chat", "sample_percent": "25", "most_per_run": "50",
    "every_minutes": "60", "grader": "json_schema", "grader-schema": json.dumps(JSON),
    "alert_below": "90", "alert_drop": "5", "window": "40", "is_on": "on",
}  # fmt: skip


def place(cast: Cast, rest: str = "") -> str:
    return f"/p/{cast.project.slug}/evals/monitors/{rest}"


def test_an_editor_sets_a_monitor_up(alice: Client, cast: Cast) -> None:
    answer = alice.post(place(cast, "new/"), FORM)

    monitor = Monitor.objects.get(project=cast.project)
    assert answer.headers["Location"] == place(cast, f"{monitor.pk}/")
    assert (monitor.score_name, monitor.grader_settings) == ("valid-json", {"schema": JSON})
    assert (monitor.alert_below, monitor.alert_drop) == (0.9, 0.05)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"query": "model:>>"}, "The query cannot be used"),
        ({"sample_percent": "0"}, "greater than or equal to 0.01"),
        ({"name": " "}, "This field is required"),
        ({"grader-schema": '{"type": 7}'}, "JSON schema"),
        ({"grader": "contains", "grader-text": ""}, "write the text to look for"),
        ({"grader": "exact"}, "not one of the available choices"),
    ],
)
def test_what_makes_no_sense_is_refused_and_stays_in_the_form(
    alice: Client, cast: Cast, wrong: dict[str, str], sentence: str
) -> None:
    answer = alice.post(place(cast, "new/"), FORM | wrong)

    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert "tag.route:chat" in answer.content.decode() or "query" in wrong
    assert not Monitor.objects.exists()


def test_two_monitors_cannot_give_scores_of_one_name(alice: Client, cast: Cast) -> None:
    make_monitor(cast.project)

    answer = alice.post(place(cast, "new/"), FORM | {"name": "valid json"})

    assert "Another monitor gives the score “valid-json”" in answer.content.decode()


def test_the_page_shows_scores_traffic_and_what_is_wrong(client: Client, cast: Cast) -> None:
    client.force_login(cast.victor)
    monitor = make_monitor(cast.project, alert_below=0.9)
    make_request(cast.project)
    measured(monitor)

    page = client.get(place(cast, f"{monitor.pk}/")).content.decode()
    assert "75.0" in page
    assert "10.0% failed" in page
    assert "Too many are wrong." in page
    assert "score.valid-json%3A%3C1" in page
    assert "Run now" not in page
    assert "Alert" in client.get(place(cast)).content.decode()
    assert "Too many are wrong." in client.get(f"/p/{cast.project.slug}/").content.decode()


def test_a_stranger_finds_nothing(client: Client, cast: Cast) -> None:
    client.force_login(cast.charlie)
    monitor = make_monitor(cast.project)

    assert client.get(place(cast, f"{monitor.pk}/")).status_code == 404
    assert client.post(place(cast, f"{monitor.pk}/delete/")).status_code == 404
    assert Monitor.objects.filter(pk=monitor.pk).exists()


def test_a_monitor_is_changed_and_deleted_by_its_page(alice: Client, cast: Cast) -> None:
    monitor = make_monitor(cast.project)

    filled = alice.get(place(cast, f"{monitor.pk}/edit/")).content.decode()
    assert "&quot;required&quot;" in filled
    alice.post(place(cast, f"{monitor.pk}/edit/"), FORM | {"name": "Renamed", "is_on": ""})
    monitor.refresh_from_db()
    assert (monitor.name, monitor.score_name, monitor.is_on) == ("Renamed", "valid-json", False)
    alice.post(place(cast, f"{monitor.pk}/delete/"))
    assert not Monitor.objects.exists()


def test_a_program_makes_reads_changes_and_deletes_a_monitor(api: Client, cast: Cast) -> None:
    body: dict[str, Any] = {
        "name": "Polite", "grader": "regex", "grader_settings": {"pattern": "(?i)please"},
        "alert_below": 0.5,
    }  # fmt: skip
    made = _send(api.post, "/api/v1/monitors", body)
    assert made.status_code == 201
    where = f"/api/v1/monitors/{made.json()['id']}"

    assert [one["name"] for one in api.get("/api/v1/monitors").json()["monitors"]] == ["Polite"]
    assert api.get(where).json()["measurements"] == []
    assert _send(api.put, where, body | {"sample_percent": 50}).json()["sample_percent"] == 50
    refused = _send(api.put, where, body | {"grader": "exact"})
    assert refused.status_code == 400
    assert "no expected answer" in refused.json()["error"]["message"]
    Alert.objects.create(
        monitor_id=made.json()["id"], kind="below", sentence="Rude.", opened_at=MORNING
    )
    assert [one["sentence"] for one in api.get("/api/v1/alerts").json()["alerts"]] == ["Rude."]
    assert api.delete(where).status_code == 204
    assert api.get(where).status_code == 404


def _send(method: Any, where: str, body: dict[str, Any]) -> Any:
    return method(where, json.dumps(body), content_type="application/json")
