"""Quarantine: what Postgres refused is seen, stored again once it can be, or given up on record."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from requests_log import bodies
from requests_log.calls import Call, Item, Verdict
from requests_log.models import (
    LoggedRequest,
    LoggedScore,
    LoggedSpan,
    Quarantined,
    Undigested,
    body_of,
)
from requests_log.quarantine import actions
from tests.requests_log.conftest import Sender
from tests.requests_log.factories import make_call, make_score, make_span, store_calls
from tests.requests_log.test_store import refusing
from workbench.core.ids import uuid7
from workbench.core.models import Job, Project
from workbench.core.queue import perform

ODD_REQUEST = rb'{"z": 1, "a": "\ud800\u0000", "n": 1.10}'


def quarantine(project: Project, *items: Item) -> None:
    """Have the items refused: calls and spans of the model or trace “poison”."""
    with refusing("poison"):
        outcomes = store_calls(items)
    assert {one.verdict for one in outcomes} == {Verdict.REJECTED}


def poison(project: Project, **fields: Any) -> Call:
    return make_call(project, model="poison", **fields)


def path(project: Project, rest: str = "") -> str:
    return f"/p/{project.slug}/log/quarantine/{rest}"


def test_an_event_stored_again_is_the_one_that_was_sent(project: Project) -> None:
    sent = poison(
        project,
        request=ODD_REQUEST,
        response=b"NaN",
        variables=b'{"b":  2.0}',
        tags={"route": "checkout"},
        http_status=429,
        duration_ms=1.5,
        altered=("model",),
    )
    quarantine(project, sent)

    actions.replay(Quarantined.objects.in_project(project).get())

    row = LoggedRequest.objects.in_project(project).get()
    body = body_of(project, sent.id)
    assert body is not None
    assert bodies.read(body) == bodies.Bodies(ODD_REQUEST, b"NaN", b'{"b":  2.0}')
    assert (row.http_status, row.duration_ms, row.tags) == (429, 1.5, {"route": "checkout"})
    assert (row.started_at, row.altered) == (sent.started_at, ["model"])
    assert not Quarantined.objects.in_project(project).exists()
    assert Undigested.objects.in_project(project).count() == 1


def test_spans_and_scores_keep_their_types_through_quarantine(project: Project) -> None:
    span = make_span(project, kind="dream", attributes=b'{"a": 1}')
    score = make_score(project, origin="oracle", value="5")
    store_calls([span, score])
    for kept in Quarantined.objects.in_project(project):
        facts = json.loads(bytes(kept.facts))
        known = {"span": ("kind", "tool"), "score": ("origin", "human")}[kept.kind]
        kept.facts = json.dumps(facts | {known[0]: known[1]}).encode()
        kept.save(update_fields=["facts"])

    done = actions.replay_all(project, by=None)

    assert (done.stored, done.refused) == (2, 0)
    assert bodies.read_span(LoggedSpan.objects.in_project(project).get()).input == span.input
    assert LoggedScore.objects.in_project(project).get().value == "5"


def test_what_is_refused_again_stays_and_counts_the_tries(project: Project) -> None:
    quarantine(project, poison(project))
    kept = Quarantined.objects.in_project(project).get()

    with refusing("poison"), pytest.raises(actions.StillRefused, match="poison"):
        actions.replay(kept)

    kept.refresh_from_db()
    assert (kept.replays, bytes(kept.request or b"")) == (1, poison(project).request)


def test_replaying_twice_stores_once(project: Project) -> None:
    quarantine(project, poison(project))
    kept = Quarantined.objects.in_project(project).get()

    actions.replay(kept)
    actions.replay(kept)

    assert LoggedRequest.objects.in_project(project).count() == 1


def test_an_event_whose_id_holds_another_content_now_stays(project: Project) -> None:
    bad = poison(project)
    quarantine(project, bad)
    store_calls([make_call(project, id=bad.id, request=b'{"other": 1}')])
    kept = Quarantined.objects.in_project(project).get()

    with pytest.raises(actions.StillRefused, match="different content"):
        actions.replay(kept)

    assert Quarantined.objects.in_project(project).exists()


def test_facts_that_are_no_event_are_said_to_be_unreadable(project: Project) -> None:
    quarantine(project, poison(project))
    Quarantined.objects.in_project(project).update(facts=b'{"id": 7}')

    with pytest.raises(actions.StillRefused, match="cannot be read"):
        actions.replay(Quarantined.objects.in_project(project).get())


def test_many_are_stored_again_by_a_job(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "AT_ONCE", 2)
    quarantine(project, *(poison(project) for _ in range(5)))

    asked = actions.replay_all(project, by=None)
    assert asked.job is not None
    perform(asked.job.pk, holder="test")

    job = Job.objects.get(pk=asked.job.pk)
    assert (job.state, job.result, job.done) == ("succeeded", {"stored": 5, "refused": 0}, 5)
    assert LoggedRequest.objects.in_project(project).count() == 5


def test_what_is_given_up_loses_its_content_and_keeps_its_record(
    editor: Client, project: Project
) -> None:
    quarantine(project, poison(project))
    kept = Quarantined.objects.in_project(project).get()
    address = path(project, f"request/{kept.id}/discard/")

    refused = editor.post(address, {"reason": " "})
    editor.post(address, {"reason": "test traffic"})

    kept.refresh_from_db()
    assert refused.status_code == 400
    assert (kept.request, bytes(kept.facts), kept.discard_reason) == (None, b"", "test traffic")
    assert not Quarantined.objects.in_project(project).waiting().exists()
    assert "test traffic" in editor.get(path(project, "?tab=discarded")).content.decode()


def test_an_event_given_up_and_refused_again_waits_again(project: Project) -> None:
    bad = poison(project)
    quarantine(project, bad)
    Quarantined.objects.in_project(project).update(facts=b"", discarded_at="2026-01-01T00:00:00Z")

    quarantine(project, bad)

    kept = Quarantined.objects.in_project(project).waiting().get()
    assert json.loads(bytes(kept.facts))["model"] == "poison"


def test_the_pages_show_what_was_refused_and_why(editor: Client, project: Project) -> None:
    hostile = b'{"a": "<script>alert(1)</script>\xff"}'
    quarantine(project, poison(project, request=hostile))
    kept = Quarantined.objects.in_project(project).get()

    log = editor.get(f"/p/{project.slug}/log/").content.decode()
    listed = editor.get(path(project)).content.decode()
    page = editor.get(path(project, f"request/{kept.id}/")).content.decode()
    raw = editor.get(path(project, f"request/{kept.id}/raw/request/"))

    assert "The database refused 1 event" in log
    assert "1 waiting" in listed
    assert "23514" in listed
    assert "&lt;script&gt;" in page
    assert "<script>alert(1)" not in page
    assert "poison" in page
    assert raw.content == hostile


def test_storing_again_from_the_page_empties_it(editor: Client, project: Project) -> None:
    quarantine(project, poison(project), poison(project))
    first = Quarantined.objects.in_project(project).oldest_first()[0]

    one = editor.post(path(project, f"request/{first.id}/replay/"))
    rest = editor.post(path(project, "replay/"))

    assert (one.status_code, rest.status_code) == (302, 302)
    assert LoggedRequest.objects.in_project(project).count() == 2
    assert "Nothing is in quarantine" in editor.get(path(project)).content.decode()


def test_the_api_lists_shows_replays_and_discards(sender: Sender) -> None:
    project = sender.project
    later = uuid7(datetime.now(UTC) + timedelta(seconds=1))
    quarantine(project, poison(project, request=ODD_REQUEST), poison(project, id=later))
    client = Client(headers={"Authorization": f"Bearer {sender.key}"})
    listed = client.get("/api/v1/quarantine/").json()["events"]
    first, second = (f"/api/v1/quarantine/{one['kind']}/{one['id']}/" for one in listed)

    whole = client.get(second).json()
    with refusing("poison"):
        refused = client.post(f"{first}replay/")
    stored = client.post(f"{second}replay/")
    given_up = client.post(f"{first}discard/", {"reason": "test"}, content_type="application/json")
    everything = client.post("/api/v1/quarantine/replay/")

    assert whole["raw_request"]["text"] == ODD_REQUEST.decode()
    assert whole["facts"]["model"] == "poison"
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "still_refused")
    assert stored.json() == {"stored": 1, "refused": 0, "job": None}
    assert given_up.status_code == 204
    assert everything.json() == {"stored": 0, "refused": 0, "job": None}
    assert client.get(first).status_code == 404
