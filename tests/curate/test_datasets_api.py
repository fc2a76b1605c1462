"""The datasets API."""

from __future__ import annotations

import json
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient, Client

from requests_log.datasets.actions import freeze_version
from requests_log.datasets.models import Dataset, Example
from tests.conftest import Cast
from tests.curate.factories import NOON, make_dataset, make_request, make_row
from tests.factories import make_api_key

BASE = "/api/v1/datasets/"


def post(api: Client, path: str, body: Any) -> Any:
    return api.post(BASE + path, json.dumps(body), content_type="application/json")


def test_a_dataset_is_made_filled_and_frozen(api: Client, cast: Cast) -> None:
    made = post(api, "", {"name": "Capital letters"})
    added = post(api, "capital-letters/examples", {"rows": [make_row("a"), make_row("b"), 7]})
    frozen = post(api, "capital-letters/versions", {"heldout": 0, "notes": "first"})
    rows = api.get(BASE + "capital-letters/versions/1/rows?split=train")

    assert made.status_code == 201
    assert made.json()["slug"] == "capital-letters"
    assert added.json()["added"] == 2
    assert added.json()["problems"][0]["index"] == 2
    assert frozen.status_code == 201
    assert frozen.json()["splits"] == {"train": 2, "heldout": 0}
    lines = [json.loads(line) for line in b"".join(rows).splitlines()]
    assert {line["messages"][1]["content"] for line in lines} == {"a", "b"}
    assert rows.headers["X-Content-Hash"] == frozen.json()["content_hash"]


def test_rows_may_come_one_a_line(api: Client, cast: Cast) -> None:
    make_dataset(cast.project)
    body = "\n".join([json.dumps(make_row("a")), "{broken", "", json.dumps(make_row("b"))])

    answer = api.post(BASE + "answers/examples", body, content_type="application/x-ndjson")

    assert answer.json()["added"] == 2
    assert [problem["index"] for problem in answer.json()["problems"]] == [1]


def test_rows_may_come_as_a_bare_list(api: Client, cast: Cast) -> None:
    make_dataset(cast.project)

    assert post(api, "answers/examples", [make_row("a")]).json()["added"] == 1


@pytest.mark.parametrize(
    "body", [{}, {"rows": "text"}, "text", 7, {"rows": {"a": 1}}, {"rows": 5}, {"rows": True}]
)
def test_a_body_without_rows_is_refused_with_a_sentence(api: Client, cast: Cast, body: Any) -> None:
    make_dataset(cast.project)

    answer = post(api, "answers/examples", body)

    assert answer.status_code == 400
    assert "rows" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b'{"messages":"\xff"}', "not_an_object"),
        (b"[" * 5000, "not_an_object"),
        (b"[" * 900 + b"]" * 900, "not_an_object"),
        (
            b'{"messages":[{"role":"user","content":[{"a":' + b"[" * 900 + b"]" * 900 + b"}]},"
            b'{"role":"assistant","content":"a"}]}',
            "too_deep",
        ),
    ],
)
def test_a_hostile_line_is_told_and_costs_no_other(
    api: Client, cast: Cast, line: bytes, code: str
) -> None:
    make_dataset(cast.project)
    body = line + b"\n" + json.dumps(make_row("a")).encode()

    answer = api.post(BASE + "answers/examples", body, content_type="application/x-ndjson")

    assert answer.status_code == 200
    assert answer.json()["added"] == 1
    assert [problem["code"] for problem in answer.json()["problems"]] == [code]


@pytest.mark.parametrize("depth", [900, 100_000])
def test_deep_rows_in_json_are_refused(api: Client, cast: Cast, depth: int) -> None:
    make_dataset(cast.project)
    body = b'{"rows":' + b"[" * depth + b"]" * depth + b"}"

    answer = api.post(BASE + "answers/examples", body, content_type="application/json")

    assert answer.status_code in {200, 400}
    assert not Example.objects.exists()


@pytest.mark.parametrize("body", [{}, {"id": ["x"]}, {"query": " "}, {"all": False}])
def test_selecting_everything_must_be_said(api: Client, cast: Cast, body: Any) -> None:
    make_dataset(cast.project)
    make_request(cast.project)

    refused = post(api, "answers/select", body)
    taken = post(api, "answers/select", {"all": True})

    assert refused.status_code == 400
    assert '"all": true' in refused.json()["error"]["message"]
    assert taken.json()["added"] == 1


@pytest.mark.parametrize("limit", ["0", "201", "000001999999", "-1", "x", "9" * 5000])
def test_a_page_has_at_most_200_rows(api: Client, cast: Cast, limit: str) -> None:
    make_dataset(cast.project)

    assert api.get(f"{BASE}answers/examples?limit={limit}").status_code == 400


def test_a_version_of_large_rows_is_read_in_pieces(
    api: Client, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = freeze_version(make_dataset(cast.project, rows=5), by=None, at=NOON)
    monkeypatch.setattr("requests_log.datasets.models.READ_BYTES", 1)

    chunks = list(version.chunks())

    assert [len(chunk) for chunk in chunks] == [1] * 5
    assert len(list(version.rows())) == 5


def test_examples_are_paged_and_each_comes_once(api: Client, cast: Cast) -> None:
    make_dataset(cast.project, rows=25)
    seen: list[str] = []
    path = BASE + "answers/examples?limit=10"
    while path:
        page = api.get(path).json()
        seen += [example["id"] for example in page["examples"]]
        path = page["next"] and f"{BASE}answers/examples?limit=10&before={page['next']}"

    assert len(seen) == len(set(seen)) == 25


def test_freezing_nothing_answers_with_a_sentence(api: Client, cast: Cast) -> None:
    make_dataset(cast.project)

    answer = post(api, "answers/versions", {})

    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "nothing_to_freeze"


def test_another_projects_dataset_is_not_there(api: Client, cast: Cast) -> None:
    make_dataset(cast.other_project, name="Secret", rows=1)

    for path in ("secret", "secret/examples", "secret/versions", "secret/versions/1/rows"):
        assert api.get(BASE + path).status_code == 404
    assert post(api, "secret/examples", {"rows": [make_row()]}).status_code == 404
    assert Example.objects.count() == 1
    assert api.get(BASE).json() == []


def test_a_reading_key_may_not_change_datasets(cast: Cast) -> None:
    _, text = make_api_key(cast.project, scopes=["read"])
    reader = Client(headers={"Authorization": f"Bearer {text}"})

    assert post(reader, "", {"name": "No"}).status_code == 403
    assert not Dataset.objects.exists()
    assert reader.get(BASE).status_code == 200


def test_the_list_shows_counts_and_the_last_version(api: Client, cast: Cast) -> None:
    make_dataset(cast.project, rows=3)
    post(api, "answers/versions", {"heldout": 0})

    (listed,) = api.get(BASE).json()

    assert (listed["examples"], listed["last_version"]) == (3, 1)


def test_rows_stream_under_an_async_server_too(api_key: Any, cast: Cast) -> None:
    freeze_version(make_dataset(cast.project, rows=600), by=None, at=NOON)
    headers = {"Authorization": f"Bearer {api_key[1]}"}

    async def fetch() -> bytes:
        path = BASE + "answers/versions/1/rows"
        answer: Any = await AsyncClient().get(path, headers=headers)
        return b"".join([part async for part in answer.streaming_content])

    assert len(async_to_sync(fetch)().splitlines()) == 600
