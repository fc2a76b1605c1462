"""Bulk actions on selected requests: tagging, and adding to a dataset."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from requests_log.datasets.actions import create_dataset, freeze_version
from requests_log.datasets.harvest import harvest_chunk
from requests_log.datasets.models import DatasetVersion, Example
from requests_log.datasets.picking import add_requests, harvested
from requests_log.models import LoggedRequest
from requests_log.selection import Selection
from requests_log.tagging import read_tagging, tag_requests
from tests.conftest import Cast
from tests.curate.factories import (
    MORNING,
    NOON,
    make_dataset,
    make_request,
    make_requests,
    make_row,
    store_request,
)
from workbench.core.errors import InvalidInput
from workbench.core.ids import uuid7
from workbench.core.models import Job
from workbench.core.queue import perform


def everything(query: str = "", **more: Any) -> Selection:
    return Selection(at=NOON, query=query, **more)


def test_a_selection_becomes_examples_with_their_origin(cast: Cast) -> None:
    dataset = make_dataset(cast.project)
    row = make_request(cast.project, question="Capital of France?", answer="Paris")

    picked = add_requests(dataset, selection=everything(), by=cast.alice, at=NOON)

    example = Example.objects.select_related("content").get()
    assert picked.changed == 1
    assert example.request_id == row.id
    assert example.provenance == "production"
    assert example.content.answer == "Paris"
    assert [m["role"] for m in example.content.body["messages"]] == ["system", "user", "assistant"]


def test_requests_without_a_usable_answer_are_skipped_with_reasons(cast: Cast) -> None:
    dataset = make_dataset(cast.project)
    make_request(cast.project, question="fine")
    make_request(cast.project, question="failed", status="error", answer=None)
    make_request(cast.project, question="cut", status="client_closed")
    make_request(cast.project, question="none", answer=None)
    make_request(cast.project, question="blank", answer="  ")
    make_request(cast.project, request={"input": "x"}, operation="embedding")
    store_request(cast.project, at=MORNING, request=b"not json", response=b"{}")

    found = harvested(add_requests(dataset, selection=everything(), by=None, at=NOON))

    assert found.added == 1
    assert found.skipped == {
        "failed": 2,
        "no_answer": 1,
        "empty_answer": 1,
        "not_a_conversation": 1,
        "unreadable": 1,
    }
    assert "2 skipped (failed or cut off)" in found.sentence


def test_adding_twice_adds_nothing(cast: Cast) -> None:
    dataset = make_dataset(cast.project)
    make_requests(cast.project, 3)

    add_requests(dataset, selection=everything(), by=None, at=NOON)
    again = harvested(add_requests(dataset, selection=everything(), by=None, at=NOON))

    assert (again.added, again.duplicates) == (0, 3)


def test_all_that_match_minus_a_few(cast: Cast) -> None:
    dataset = make_dataset(cast.project)
    rows = make_requests(cast.project, 3, tags={"keep": "yes"})
    make_request(cast.project, question="other")

    selection = everything("tag.keep:yes", excluded=(rows[0].id,))
    add_requests(dataset, selection=selection, by=None, at=NOON)

    assert set(Example.objects.values_list("request_id", flat=True)) == {r.id for r in rows[1:]}


def test_requests_logged_after_the_selection_are_not_in_it(cast: Cast) -> None:
    make_request(cast.project, at=NOON)

    assert everything().count(cast.project) == 0


def test_ids_of_another_project_select_nothing(cast: Cast) -> None:
    row = make_request(cast.other_project)
    dataset = make_dataset(cast.project)

    add_requests(dataset, selection=Selection(at=NOON, ids=(row.id,)), by=None, at=NOON)

    assert not Example.objects.exists()


def test_a_query_with_a_problem_selects_nothing(cast: Cast) -> None:
    make_request(cast.project)

    with pytest.raises(InvalidInput, match="Did you mean “model:”"):
        add_requests(make_dataset(cast.project), selection=everything("modle:x"), by=None, at=NOON)


def test_earlier_answers_are_context_and_not_taught_again(cast: Cast) -> None:
    messages = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "2+2?"},
    ]
    make_request(cast.project, request={"messages": messages}, answer="4")

    add_requests(make_dataset(cast.project), selection=everything(), by=None, at=NOON)

    stored = Example.objects.get().content.body["messages"]
    assert [message.get("weight") for message in stored] == [None, 0, None, None]


def test_raw_text_that_the_digest_cannot_hold_reaches_the_example(cast: Cast) -> None:
    make_request(cast.project, question="NUL \x00 here", answer="\x00!")

    add_requests(make_dataset(cast.project), selection=everything(), by=None, at=NOON)

    messages = Example.objects.get().content.body["messages"]
    assert messages[1]["content"] == "NUL \x00 here"
    assert messages[2]["content"] == "\x00!"


def test_a_session_stays_on_one_side_when_grouped_by_session(cast: Cast) -> None:
    dataset = create_dataset(cast.project, name="Talks", by=None, group_by="session")
    make_requests(cast.project, 4, session="s1")

    add_requests(dataset, selection=everything(), by=None, at=NOON)

    assert Example.objects.values("fingerprint").distinct().count() == 1


def test_lineage_leads_from_a_request_to_the_versions_and_back(cast: Cast) -> None:
    dataset = make_dataset(cast.project)
    rows = make_requests(cast.project, 3)
    add_requests(
        dataset, selection=Selection(at=NOON, ids=(rows[0].id, rows[1].id)), by=None, at=NOON
    )
    version = freeze_version(dataset, by=None, at=NOON)

    assert set(version.request_ids()) == {rows[0].id, rows[1].id}
    versions = DatasetVersion.objects.in_project(cast.project)
    assert list(versions.containing_request(rows[0].id)) == [version]
    assert not versions.containing_request(rows[2].id).exists()


def test_many_requests_are_added_by_a_job(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("requests_log.bulk.actions.AT_ONCE", 5)
    monkeypatch.setattr("requests_log.bulk.pace.FIRST", 3)
    monkeypatch.setattr("requests_log.bulk.pace.MOST", 3)
    dataset = make_dataset(cast.project)
    make_requests(cast.project, 8)

    picked = add_requests(dataset, selection=everything(), by=cast.bob, at=NOON)
    assert picked.job is not None
    assert not Example.objects.exists()
    perform(picked.job.pk, holder="test")

    job = Job.objects.get(pk=picked.job.pk)
    assert job.state == Job.State.SUCCEEDED
    assert (job.done, job.total) == (8, 8)
    assert job.result == {"added": 8, "duplicates": 0, "skipped": {}}
    assert Example.objects.in_dataset(dataset).count() == 8


def test_a_tag_is_set_and_removed_on_a_selection(cast: Cast) -> None:
    make_requests(cast.project, 3, tags={"route": "checkout"})
    other = make_request(cast.project, question="other")
    query = everything("tag.route:checkout")

    def tag(value: str | None) -> int:
        tagging = read_tagging("q", value)
        done = tag_requests(cast.project, selection=query, tagging=tagging, by=None, at=NOON)
        return done.changed

    first, again = tag("good"), tag("good")

    rows = LoggedRequest.objects.in_project(cast.project)
    assert (first, again) == (3, 0)
    assert rows.get(id=other.id).tags == {}
    assert rows.tagged("q", "good").tagged("route", "checkout").count() == 3
    assert tag(None) == 3
    assert not rows.tagged("q", "good").exists()


def test_many_requests_are_tagged_by_a_job_to_the_last_one(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("requests_log.bulk.actions.AT_ONCE", 5)
    monkeypatch.setattr("requests_log.bulk.pace.FIRST", 3)
    monkeypatch.setattr("requests_log.bulk.pace.MOST", 3)
    make_requests(cast.project, 7, tags={"todo": "yes"})
    query = everything("tag.todo:yes")

    tagged = tag_requests(
        cast.project, selection=query, tagging=read_tagging("todo", "no"), by=cast.alice, at=NOON
    )
    assert tagged.job is not None
    perform(tagged.job.pk, holder="test")

    job = Job.objects.get(pk=tagged.job.pk)
    assert (job.state, job.result) == (Job.State.SUCCEEDED, {"changed": 7})
    assert LoggedRequest.objects.in_project(cast.project).tagged("todo", "no").count() == 7


@pytest.mark.parametrize(
    ("name", "value"), [("", "x"), (" ", "x"), ("n" * 61, "x"), ("n", "v" * 201)]
)
def test_a_tag_out_of_bounds_is_refused_with_a_sentence(name: str, value: str) -> None:
    with pytest.raises(InvalidInput, match="A tag's"):
        read_tagging(name, value)


def test_the_api_adds_what_a_query_matches(api: Any, cast: Cast) -> None:
    dataset = make_dataset(cast.project)
    rows = make_requests(cast.project, 3, tags={"a": "b"})

    def select(body: dict[str, Any]) -> Any:
        path = f"/api/v1/datasets/{dataset.slug}/select"
        return api.post(path, json.dumps(body), content_type="application/json")

    by_query = select({"query": "tag.a:b", "except": [str(rows[0].id)]})
    by_ids = select({"ids": [str(rows[0].id), str(rows[1].id)]})
    broken = select({"query": "nope:x"})

    counts = {"added": 2, "duplicates": 0, "skipped": {}, "job": None, "bulk_action": None}
    assert {**by_query.json(), "bulk_action": None} == counts
    assert by_ids.json()["added"] == 1
    assert by_ids.json()["duplicates"] == 1
    assert broken.status_code == 400
    assert select({"ids": []}).status_code == 400


def test_the_api_tells_the_same_of_many_when_the_job_is_done(
    api: Any, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("requests_log.bulk.actions.AT_ONCE", 2)
    dataset = make_dataset(cast.project)
    make_requests(cast.project, 3)
    make_request(cast.project, question="Nothing came", answer=None, status="error")
    path = f"/api/v1/datasets/{dataset.slug}/select"
    started = api.post(path, json.dumps({"all": True}), content_type="application/json")

    perform(UUID(started.json()["job"]["id"]), holder="test")

    done = api.get(f"/api/v1/jobs/{started.json()['job']['id']}").json()
    assert started.status_code == 202
    assert done["result"] == {"added": 3, "duplicates": 0, "skipped": {"failed": 1}}
    assert Example.objects.in_dataset(dataset).count() == 3


def test_the_same_conversation_from_the_log_and_from_a_file_is_stored_once(cast: Cast) -> None:
    from requests_log.datasets.actions import add_examples

    dataset = make_dataset(cast.project)
    make_request(cast.project, question="Hi", answer="Ho")
    add_requests(dataset, selection=everything(), by=None, at=NOON)

    assert add_examples(dataset, rows=[make_row("Hi", answer="Ho")]).duplicates == 1


def test_large_requests_are_added_a_few_at_a_time(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = make_dataset(cast.project)
    rows = make_requests(cast.project, 5)
    monkeypatch.setattr("requests_log.datasets.harvest.RUN_BYTES", 1)

    outcome = harvest_chunk(dataset, [uuid7(), *(row.id for row in rows)])

    assert (outcome.added, outcome.skipped) == (5, {"missing": 1})
