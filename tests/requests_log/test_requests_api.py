"""Reading the log over HTTP."""

from __future__ import annotations

import base64
import hashlib
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from requests_log.digest.run import digest_once
from tests.factories import make_api_key, make_project
from tests.requests_log.conftest import forget_project
from tests.requests_log.factories import make_call, store_calls
from workbench.core.ids import uuid7
from workbench.core.models import Project


@pytest.fixture
def reader(project: Project) -> Client:
    return Client(headers={"Authorization": f"Bearer {make_api_key(project)[1]}"})


def listed(reader: Client, **parameters: Any) -> list[str]:
    answer = reader.get("/api/v1/requests/", parameters)
    assert answer.status_code == 200, answer.content
    return [one["id"] for one in answer.json()["requests"]]


def test_pages_hold_each_request_once_newest_first(project: Project, reader: Client) -> None:
    start = timezone.now() - timedelta(minutes=1)
    calls = [make_call(project, id=uuid7(start + timedelta(seconds=n))) for n in range(7)]
    store_calls(calls)

    pages: list[list[str]] = []
    before: str | None = ""
    while before is not None:
        parameters = {"limit": "3", "before": before}
        document = reader.get("/api/v1/requests/", parameters).json()
        pages.append([one["id"] for one in document["requests"]])
        before = document["next"]

    assert [len(page) for page in pages] == [3, 3, 1]
    assert [one for page in pages for one in page] == [str(call.id) for call in reversed(calls)]


def test_filters_choose_requests(project: Project, reader: Client) -> None:
    one = make_call(project, model="a", tags={"route": "x"}, prompt_name="p", prompt_version=2)
    two = make_call(project, model="b", status="error", id=uuid7())
    store_calls([one, two])

    assert listed(reader, model="a") == [str(one.id)]
    assert listed(reader, tag="route:x") == [str(one.id)]
    assert listed(reader, prompt="p@2") == listed(reader, prompt="p") == [str(one.id)]
    assert listed(reader, prompt="p@3") == []
    assert listed(reader, status="error") == [str(two.id)]
    assert listed(reader, q="model:b") == [str(two.id)]
    assert listed(reader, until="2020-01-01T00:00:00Z") == []
    assert len(listed(reader, since="2020-01-01T00:00:00Z")) == 2


@pytest.mark.parametrize(
    "parameters",
    [
        {"status": "fine"},
        {"tag": "x"},
        {"since": "x"},
        {"q": "nosuchfield:1"},
        {"before": "x"},
        {"limit": "0"},
        {"project__members__email": "x"},
        {"model": "\x00"},
    ],
    ids=str,
)
def test_senseless_parameters_are_answered_400(reader: Client, parameters: dict[str, str]) -> None:
    answer = reader.get("/api/v1/requests/", parameters)

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid")


def test_one_request_comes_with_its_exact_bytes(project: Project, reader: Client) -> None:
    call = make_call(project, request=b'{ "a" : "\\ud800" }', response=b"\xff\x00")
    store_calls([call])

    document = reader.get(f"/api/v1/requests/{call.id}/").json()

    assert document["raw_request"]["text"].encode() == call.request
    assert document["raw_request"]["sha256"] == hashlib.sha256(call.request).hexdigest()
    assert base64.b64decode(document["raw_response"]["base64"]) == call.response
    assert document["raw_variables"] is None
    assert document["request"]["digested_at"] is None


def test_a_digested_request_shows_what_was_derived(project: Project, reader: Client) -> None:
    call = make_call(project)
    store_calls([call])
    while digest_once():
        pass

    document = reader.get(f"/api/v1/requests/{call.id}/").json()["request"]

    assert document["messages"][1]["content"] == "Where is my refund?"
    assert document["input_tokens"] == 1000


def test_requests_of_other_projects_are_not_there(project: Project, reader: Client) -> None:
    other = make_project(name="Elsewhere")
    call = make_call(other)
    store_calls([call])

    assert listed(reader) == []
    assert reader.get(f"/api/v1/requests/{call.id}/").status_code == 404
    forget_project(other)


def test_a_key_without_the_read_scope_is_answered_403(project: Project) -> None:
    key = make_api_key(project, scopes=["ingest"])[1]

    answer = Client(headers={"Authorization": f"Bearer {key}"}).get("/api/v1/requests/")

    assert answer.status_code == 403


def test_the_schema_describes_the_requests_api() -> None:
    paths = Client().get("/api/schema/").json()["paths"]

    assert "/api/v1/requests/" in paths
    assert "/api/v1/requests/{request_id}/" in paths
