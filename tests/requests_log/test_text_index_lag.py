"""How far behind the index is can be seen, and what fails in it fails nothing else."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone

from requests_log.digest.loop import DigestLoop
from requests_log.digest.run import digest_and_seal, digest_once
from requests_log.models import Digest, RequestBody, Undigested
from requests_log.textindex import sealing
from requests_log.textindex.lag import text_index_lag
from tests.conftest import Cast
from tests.gateway.conftest import wait_until
from tests.requests_log.factories import make_call, store_calls
from workbench.core.models import Project


def test_requests_that_were_not_read_yet_are_counted(project: Project) -> None:
    store_calls([make_call(project), make_call(project)])

    behind = text_index_lag(project, at=timezone.now())
    digest_once()

    assert (behind.calls, behind.seconds > 0) == (2, True)
    assert "2 requests" in behind.sentence
    assert text_index_lag(project, at=timezone.now()).sentence == ""


def test_requests_that_cannot_be_read_are_counted_apart(project: Project) -> None:
    call = make_call(project)
    store_calls([call])
    RequestBody.objects.filter(id=call.id).update(request=b"not zstd")
    for _ in range(3):
        Undigested.objects.filter(project=project).update(retry_at="2000-01-01T00:00:00Z")
        digest_once()

    behind = text_index_lag(project, at=timezone.now())

    assert (behind.calls, behind.failed) == (0, 1)


def test_a_segment_that_cannot_be_made_holds_up_no_digest(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(texts: object) -> None:
        raise MemoryError

    monkeypatch.setattr("requests_log.textindex.segments.build", broken)
    monkeypatch.setattr(sealing, "LOOK_EVERY", 1)
    monkeypatch.setattr(sealing, "MOST_CALLS", 1)
    monkeypatch.setattr("requests_log.digest.loop.TROUBLE_SECONDS", 0.01)
    store_calls([make_call(project)])
    with pytest.raises(MemoryError):
        digest_and_seal()

    store_calls([make_call(project)])
    loop = DigestLoop()
    loop.start()
    wait_until(lambda: Digest.objects.filter(project=project).count() == 2)
    loop.stop()

    assert Digest.objects.filter(project=project).count() == 2


def test_the_log_page_says_how_far_behind_the_search_is(alice: Client, cast: Cast) -> None:
    Undigested.objects.create(id="01a1feec-867a-750e-bc8c-adda055b5e4b", project=cast.project)

    page = alice.get(f"/p/{cast.project.slug}/log/?q=model:x").content.decode()

    assert "Text search is 1 request and" in page


def test_the_api_says_how_far_behind_the_search_is(api: Client, cast: Cast) -> None:
    Undigested.objects.create(id="01a1feec-867a-750e-bc8c-adda055b5e4b", project=cast.project)

    answer = api.get("/api/v1/requests/?q=refund").json()

    assert (answer["text_index"]["calls"], answer["requests"]) == (1, [])
