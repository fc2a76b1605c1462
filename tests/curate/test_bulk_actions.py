"""Bulk actions are recorded, and undone exactly: what they changed, and nothing changed since."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from django.test import Client

from requests_log.bulk.actions import CannotUndo, expire, start, undo
from requests_log.bulk.deleting import KEPT_FOR, delete_requests
from requests_log.bulk.kinds import BulkKind
from requests_log.bulk.models import BulkAction, BulkChange
from requests_log.bulk.scoring import score_requests
from requests_log.datasets.actions import add_examples
from requests_log.datasets.models import Example
from requests_log.datasets.picking import add_requests
from requests_log.feedback.scoring import read_opinion
from requests_log.models import (
    Digest,
    LoggedRequest,
    LoggedScore,
    RequestBody,
    RequestRow,
    RequestTags,
    Undigested,
)
from requests_log.selection import Selection
from requests_log.tagging import TAG, read_tagging, tag_requests
from tests.conftest import Cast
from tests.curate.factories import NOON, make_dataset, make_request, make_requests, make_row
from workbench.core.leases import LeaseLost
from workbench.core.models import Job, Project
from workbench.core.queue import cancel_job, perform

LATER = NOON + timedelta(hours=1)


def everything(query: str = "", **more: Any) -> Selection:
    return Selection(at=NOON, query=query, **more)


def tag(project: Project, name: str, value: str | None, *ids: UUID) -> BulkAction:
    selection = Selection(at=NOON, ids=ids) if ids else everything()
    tagging = read_tagging(name, value)
    return tag_requests(project, selection=selection, tagging=tagging, by=None, at=NOON)


def tags_of(row: RequestRow) -> dict[str, Any]:
    return dict(LoggedRequest.objects.get(id=row.id, project=row.project).tags)


def undone(action: BulkAction) -> BulkAction:
    return undo(action, by=None, at=LATER)


def test_undoing_a_tag_puts_back_the_value_each_request_had(cast: Cast) -> None:
    plain = make_request(cast.project)
    other = make_request(cast.project, question="b", tags={"q": "fair", "route": "x"})
    same = make_request(cast.project, question="c", tags={"q": "good"})

    action = tag(cast.project, "q", "good")
    assert action.changed == 2
    back = undone(action)

    assert (back.restored, back.left, back.state) == (2, 0, BulkAction.State.UNDONE)
    assert tags_of(plain) == {}
    assert tags_of(other) == {"q": "fair", "route": "x"}
    assert tags_of(same) == {"q": "good"}


def test_undoing_leaves_what_somebody_changed_since(cast: Cast) -> None:
    mine = make_request(cast.project)
    changed = make_request(cast.project, question="b")
    again = make_request(cast.project, question="c")
    action = tag(cast.project, "q", "good")

    tag(cast.project, "q", "bad", changed.id)
    tag(cast.project, "q", "bad", again.id)
    tag(cast.project, "q", "good", again.id)
    back = undone(action)

    assert (back.restored, back.left) == (1, 2)
    assert tags_of(mine) == {}
    assert tags_of(changed) == {"q": "bad"}
    assert tags_of(again) == {"q": "good"}


def test_actions_undone_one_after_the_other_lead_back_to_the_start(cast: Cast) -> None:
    row = make_request(cast.project, tags={"q": "fair"})
    first = tag(cast.project, "q", "good")
    second = tag(cast.project, "q", None)
    assert tags_of(row) == {}

    undone(second)
    assert tags_of(row) == {"q": "good"}
    undone(first)

    assert tags_of(row) == {"q": "fair"}


def test_a_tag_that_is_no_text_comes_back_as_it_was(cast: Cast) -> None:
    row = make_request(cast.project, tags={"q": 7, "r": None})

    for action in (tag(cast.project, "q", None), tag(cast.project, "r", "x")):
        undone(action)

    assert tags_of(row) == {"q": 7, "r": None}


def test_an_action_is_undone_once(cast: Cast) -> None:
    make_request(cast.project)
    action = tag(cast.project, "q", "good")
    undone(action)

    with pytest.raises(CannotUndo, match="undone already"):
        undone(action)


def test_an_action_cannot_be_undone_while_it_is_under_way(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("requests_log.bulk.actions.AT_ONCE", 1)
    make_requests(cast.project, 2)
    action = tag(cast.project, "q", "good")

    with pytest.raises(CannotUndo, match="still under way"):
        undone(action)


Step = Callable[[BulkAction, int], None]


@contextmanager
def tag_kind(before_step: Step) -> Iterator[BulkKind]:
    """A kind that tags, and tells before each step how many rows it has changed."""

    def change(action: BulkAction, ids: Sequence[UUID]) -> Mapping[str, int]:
        before_step(action, action.changed)
        return TAG.change(action, ids)

    yield BulkKind("tag_in_steps", change, TAG.restore)
    del BulkKind.registry["tag_in_steps"]


def start_job(project: Project, kind: BulkKind) -> tuple[BulkAction, Job]:
    """A tagging of all requests, in a job of two rows a step."""
    params = read_tagging("q", "good").to_params()
    action = start(
        project,
        kind=kind,
        title="Tag in steps",
        params=params,
        selection=everything(),
        by=None,
        at=NOON,
    )
    assert action.job is not None
    return action, action.job


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("requests_log.bulk.actions.AT_ONCE", 1)
    monkeypatch.setattr("requests_log.bulk.pace.FIRST", 2)
    monkeypatch.setattr("requests_log.bulk.pace.MOST", 2)


def test_a_job_that_was_stopped_midway_is_undone_as_far_as_it_came(
    cast: Cast, small_steps: None
) -> None:
    make_requests(cast.project, 5)

    def cancel(action: BulkAction, changed: int) -> None:
        if changed == 2:
            Job.objects.filter(pk=str(action.job_id)).update(cancel_requested=True)

    with tag_kind(cancel) as kind:
        action, job = start_job(cast.project, kind)
        perform(job.pk, holder="test")
        action = BulkAction.objects.select_related("job").get(pk=action.pk)
        assert (action.changed, action.was_stopped) == (4, True)
        back = undone(action)
        assert back.undo_job is not None
        perform(back.undo_job.pk, holder="test")

    back.refresh_from_db()
    assert (back.restored, back.state) == (4, BulkAction.State.UNDONE)
    assert not LoggedRequest.objects.in_project(cast.project).tagged("q", "good").exists()


def test_a_job_that_broke_goes_on_behind_its_last_step_and_counts_nothing_twice(
    cast: Cast, small_steps: None
) -> None:
    make_requests(cast.project, 5)
    broken: list[int] = []

    def breaks(action: BulkAction, changed: int) -> None:
        if changed == 4 and not broken:
            broken.append(changed)
            raise OSError("the worker loses its database here")

    with tag_kind(breaks) as kind:
        _, job = start_job(cast.project, kind)
        perform(job.pk, holder="first")
        Job.objects.filter(pk=job.pk).update(run_after=NOON - timedelta(days=400))
        perform(job.pk, holder="second")

    job.refresh_from_db()
    assert (job.state, job.result, job.done) == (Job.State.SUCCEEDED, {"changed": 5}, 5)
    assert BulkAction.objects.get().seen == 5


def test_a_worker_that_lost_its_job_does_no_step_twice(cast: Cast) -> None:
    from requests_log.bulk import actions

    rows = make_requests(cast.project, 2)
    action = tag(cast.project, "q", "good")
    stale = BulkAction.objects.get(pk=action.pk)
    stale.position = None

    with pytest.raises(LeaseLost), transaction.atomic():
        actions._step(stale, [rows[0].id])


def test_a_deleted_request_is_gone_at_once_and_comes_back_whole(cast: Cast) -> None:
    keep = make_request(cast.project, question="keep")
    row = make_request(
        cast.project, question="b", tags={"q": "x"}, end_user="u", duration_ms=0.1 + 0.2
    )
    before = LoggedRequest.objects.filter(id=row.id).values().get()

    action = delete_requests(
        cast.project, selection=Selection(at=NOON, ids=(row.id,)), by=None, at=NOON
    )
    assert list(LoggedRequest.objects.in_project(cast.project).values_list("id")) == [(keep.id,)]
    assert list(RequestTags.objects.in_project(cast.project).values_list("id")) == [(keep.id,)]
    assert action.undo_until == NOON + KEPT_FOR
    undone(action)

    assert LoggedRequest.objects.filter(id=row.id).values().get() == before
    assert not Undigested.objects.in_project(cast.project).exists()


def test_a_request_deleted_before_its_digest_is_digested_when_it_is_back(cast: Cast) -> None:
    row = make_request(cast.project)
    Digest.objects.filter(id=row.id).delete()

    undone(delete_requests(cast.project, selection=everything(), by=None, at=NOON))

    assert Undigested.objects.in_project(cast.project).get().id == row.id


def test_what_was_deleted_is_gone_for_good_when_its_time_is_over(cast: Cast) -> None:
    row = make_request(cast.project)
    keep = make_request(cast.project, question="keep")
    give(cast, "helpful", value=True)
    selection = Selection(at=NOON, ids=(row.id,))
    action = delete_requests(cast.project, selection=selection, by=None, at=NOON)

    expire(at=NOON + KEPT_FOR - timedelta(seconds=1))
    assert RequestBody.objects.filter(id=row.id).exists()
    expire(at=NOON + KEPT_FOR)

    for model in (RequestBody, Digest):
        assert set(model.objects.in_project(cast.project).values_list("id", flat=True)) == {keep.id}
    assert LoggedScore.objects.in_project(cast.project).get().request_id == keep.id
    assert not BulkChange.objects.filter(action=action).exists()
    action.refresh_from_db()
    with pytest.raises(CannotUndo, match="over"):
        undone(action)


def test_sending_a_deleted_request_again_does_not_bring_it_back(cast: Cast) -> None:
    """What tells a repeated id is its body, which stays until the delete is final."""
    row = make_request(cast.project)

    delete_requests(cast.project, selection=everything(), by=None, at=NOON)

    assert RequestBody.objects.in_project(cast.project).get().id == row.id


def give(cast: Cast, name: str, *, value: object) -> BulkAction:
    return score_requests(
        cast.project,
        selection=everything(),
        opinion=read_opinion(name, value),
        by=cast.alice,
        at=NOON,
    )


@pytest.mark.parametrize(
    ("value", "data_type"), [(True, "boolean"), (0.25, "number"), ("good", "text")]
)
def test_a_score_of_each_type_is_given_and_taken_back(
    cast: Cast, value: object, data_type: str
) -> None:
    rows = make_requests(cast.project, 3)

    action = give(cast, "helpful", value=value)

    scores = LoggedScore.objects.in_project(cast.project)
    assert {score.request_id for score in scores} == {row.id for row in rows}
    assert {(s.value, s.data_type, s.origin, s.author) for s in scores} == {
        (value, data_type, "human", cast.alice.email)
    }
    scores.filter(request_id=rows[0].id).update(comment="mine now", edited_at=LATER)
    assert undone(action).restored == 2
    assert scores.get().request_id == rows[0].id


def test_undoing_an_addition_leaves_edited_examples_and_those_that_were_there(cast: Cast) -> None:
    dataset = make_dataset(cast.project)
    rows = make_requests(cast.project, 3)
    first = Selection(at=NOON, ids=(rows[0].id,))
    add_requests(dataset, selection=first, by=None, at=NOON)
    action = add_requests(dataset, selection=everything(), by=None, at=NOON)
    other = make_dataset(cast.project, name="Other")
    add_examples(other, rows=[make_row("Edited?")])
    content = Example.objects.in_dataset(other).get().content
    Example.objects.filter(request_id=rows[1].id).update(content=content)

    back = undone(action)

    assert (back.restored, back.left) == (1, 1)
    left = Example.objects.in_dataset(dataset).values_list("request_id", flat=True)
    assert set(left) == {rows[0].id, rows[1].id}


def test_the_api_does_lists_and_undoes(api: Client, cast: Cast) -> None:
    make_requests(cast.project, 2)

    def post(path: str, body: dict[str, Any]) -> Any:
        return api.post(f"/api/v1/{path}", json.dumps(body), content_type="application/json")

    tagged = post("bulk-actions/", {"action": "tag", "name": "q", "value": "good", "all": True})
    scored = post(
        "bulk-actions/", {"action": "score", "name": "q", "value": 0.5, "query": "tag.q:*"}
    )
    deleted = post("bulk-actions/", {"action": "delete", "query": "tag.q:good"})
    back = post(f"bulk-actions/{deleted.json()['id']}/undo", {})

    assert tagged.json()["counts"] == {"changed": 2}
    assert scored.json()["sentence"] == "Score q: 0.5: 2 changed."
    assert (back.json()["state"], back.json()["restored"]) == ("undone", 2)
    listed = api.get("/api/v1/bulk-actions/").json()["actions"]
    assert [one["action"] for one in listed] == ["delete", "score", "tag"]
    assert api.get(f"/api/v1/bulk-actions/{tagged.json()['id']}").json()["state"] == "done"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"action": "delete"}, "Say which requests"),
        ({"action": "burn", "all": True}, "action"),
        ({"action": "tag", "name": "q", "value": 5, "all": True}, "is a text"),
        ({"action": "score", "name": "q", "all": True}, "value:"),
        ({"action": "delete", "query": "modle:x"}, "Did you mean"),
    ],
)
def test_a_call_that_makes_no_sense_changes_nothing(
    api: Client, cast: Cast, body: dict[str, Any], told: str
) -> None:
    make_request(cast.project)

    answer = api.post("/api/v1/bulk-actions/", json.dumps(body), content_type="application/json")

    assert answer.status_code == 400
    assert told in answer.json()["error"]["message"]
    assert not BulkAction.objects.exists()


def test_another_projects_action_is_not_there(api: Client, cast: Cast) -> None:
    make_request(cast.other_project)
    action = tag(cast.other_project, "q", "good")

    assert api.post(f"/api/v1/bulk-actions/{action.pk}/undo").status_code == 404
    action.refresh_from_db()
    assert action.state == BulkAction.State.DONE


def test_the_history_offers_to_undo_what_can_be(alice: Client, cast: Cast) -> None:
    make_request(cast.project)
    tag(cast.project, "<b>", "good")
    tag(cast.project, "seen", "")
    final = tag(cast.project, "over", "good")
    BulkAction.objects.filter(pk=final.pk).update(state=BulkAction.State.FINAL)

    page = alice.get(f"/p/{cast.project.slug}/log/bulk/").content.decode()

    assert "Tag &lt;b&gt;: good" in page
    assert "Tag seen</td>" in page.replace("\n", "")
    assert page.count("/undo/") == 2


def test_a_page_that_deletes_offers_to_undo_it(alice: Client, cast: Cast) -> None:
    row = make_request(cast.project)
    base = f"/p/{cast.project.slug}/log/"

    alice.post(f"{base}delete/", {"ids": [str(row.id)]})
    page = alice.get(base).content.decode()
    action = BulkAction.objects.get()
    assert f'hx-post="{base}bulk/{action.pk}/undo/"' in page
    assert "Deleted 1." in page
    alice.post(f"{base}bulk/{action.pk}/undo/")

    assert RequestRow.objects.filter(id=row.id).exists()


def test_a_cancelled_job_that_never_began_leaves_nothing_to_undo(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("requests_log.bulk.actions.AT_ONCE", 1)
    make_requests(cast.project, 2)
    action = tag(cast.project, "q", "good")
    assert action.job is not None

    cancel_job(action.job, at=NOON)

    kept = BulkAction.objects.select_related("job").get()
    assert kept.was_stopped
    assert not kept.can_be_undone
