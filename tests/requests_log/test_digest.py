"""Digests: derived once from committed bytes, restartable, never held up by one bad row."""

from __future__ import annotations

import json
import threading
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.db import connection

from requests_log.digest.loop import DigestLoop
from requests_log.digest.run import MAX_ATTEMPTS, digest_once
from requests_log.models import Digest, LoggedRequest, RequestBody, Undigested
from requests_log.textindex.models import TextSegment
from requests_log.textindex.sealing import seal
from tests.gateway.conftest import wait_until
from tests.requests_log.factories import RESPONSE, make_call, store_calls
from workbench.core.errors import OperatorProblem
from workbench.core.hotpool import conninfo
from workbench.core.models import Project


def digested(project: Project, **fields: Any) -> LoggedRequest:
    """Store one call, digest it, read it."""
    store_calls([make_call(project, **fields)])
    drain()
    return LoggedRequest.objects.in_project(project).get()


def drain() -> None:
    while digest_once():
        pass


def bytes_of(value: object) -> bytes:
    return json.dumps(value).encode()


def test_a_chat_is_derived(project: Project) -> None:
    row = digested(project, variables=b'{"order": 7}')

    assert row.is_digested
    assert (row.input_preview, row.output_preview) == ("Where is my refund?", "Underway.")
    assert (row.model_used, row.finish_reason) == ("gpt-4o-mini-2024-07-18", "stop")
    assert (row.input_tokens, row.output_tokens) == (1000, 100)
    assert (row.cached_tokens, row.reasoning_tokens) == (200, 5)
    assert row.messages is not None
    assert row.messages[0] == {"role": "system", "content": "Answer in one word."}
    assert row.output == {"role": "assistant", "content": "Underway."}
    assert row.variables == {"order": 7}
    assert row.parameters == {"model": "gpt-4o-mini", "temperature": 0.2}


def test_cost_counts_cached_input_at_its_own_price(project: Project) -> None:
    row = digested(project)

    expected = (800 * Decimal("0.15") + 200 * Decimal("0.075") + 100 * Decimal("0.60")) / 1_000_000
    assert row.cost == expected


def test_an_unknown_model_costs_nothing_known(project: Project) -> None:
    response = bytes_of(RESPONSE | {"model": "mystery"})

    assert digested(project, response=response).cost is None


def test_words_of_request_and_response_are_found(project: Project) -> None:
    digested(project)

    rows = LoggedRequest.objects.in_project(project)
    assert rows.filter(search__contains="refund").exists()
    assert rows.filter(search__contains="underway").exists()
    assert not rows.filter(search__contains="absent").exists()


SHAPES: list[tuple[str, Any, Any, str, str]] = [
    (
        "completion",
        {"prompt": "Once upon"},
        {"choices": [{"text": " a time", "finish_reason": "length"}]},
        "Once upon",
        "a time",
    ),
    (
        "responses",
        {"instructions": "Be brief", "input": "Hi"},
        {"output": [{"type": "message", "content": [{"type": "output_text", "text": "Hello"}]}]},
        "Hi",
        "Hello",
    ),
    (
        "chat",
        {"system": "Be brief", "messages": [{"role": "user", "content": [{"text": "Hi"}]}]},
        {"role": "assistant", "content": [{"type": "text", "text": "Yo"}], "stop_reason": "end"},
        "Hi",
        "Yo",
    ),
    (
        "chat",
        {"messages": [{"role": "user", "content": "Weather?"}]},
        {
            "choices": [
                {
                    "message": {
                        "content": None,
                        "tool_calls": [{"function": {"name": "look", "arguments": '{"a":1}'}}],
                    }
                }
            ]
        },
        "Weather?",
        'look({"a":1})',
    ),
    ("embedding", {"input": ["one", "two"]}, {"data": [{"embedding": [0.1]}]}, "two", ""),
]


@pytest.mark.parametrize(
    ("operation", "request_", "response", "asked", "answered"), SHAPES, ids=range(len(SHAPES))
)
def test_every_shape_has_its_previews(
    project: Project, operation: str, request_: Any, response: Any, asked: str, answered: str
) -> None:
    row = digested(
        project, operation=operation, request=bytes_of(request_), response=bytes_of(response)
    )

    assert (row.input_preview, row.output_preview or "") == (asked, answered)


def test_anthropic_tokens_include_the_cached_input(project: Project) -> None:
    usage = {"input_tokens": 10, "cache_read_input_tokens": 90, "output_tokens": 5}

    row = digested(project, response=bytes_of({"role": "assistant", "usage": usage}))

    assert (row.input_tokens, row.cached_tokens, row.output_tokens) == (100, 90, 5)


ODD = [
    b"not json at all",
    b"{}",
    rb'{"messages": [{"role": "user", "content": "a\u0000b\ud800c"}]}',
    b'{"messages": 5, "n": NaN, "big": ' + b"9" * 5000 + b"}",
    b'{"messages": [null, 5, {"role": 7, "content": {"text": 1}}], "tools": {}}',
    b'{"messages": [{"content": "' + b" ".join(b"w%d" % n for n in range(300_000)) + b'"}]}',
    b'{"messages": [{"content": "' + b"x" * 3_000_000 + b'"}]}',
    b'{"a":' * 127 + b"1" + b"}" * 127,
]


@pytest.mark.parametrize("raw", ODD, ids=range(len(ODD)))
def test_odd_bodies_still_get_a_digest(project: Project, raw: bytes) -> None:
    row = digested(project, request=raw, response=raw)

    assert row.is_digested


def test_nul_and_surrogates_are_replaced_in_what_people_read(project: Project) -> None:
    assert digested(project, request=ODD[2]).input_preview == "a\ufffdb\ufffdc"


def test_a_cut_text_index_says_so(project: Project) -> None:
    assert digested(project, request=ODD[5]).search_cut is True


def test_a_poison_row_fails_alone_after_its_attempts(project: Project) -> None:
    bad, good = make_call(project), make_call(project)
    store_calls([bad, good])
    RequestBody.objects.in_project(project).filter(id=bad.id).update(request=b"not zstd")

    for _ in range(MAX_ATTEMPTS):
        Undigested.objects.in_project(project).update(retry_at="2000-01-01T00:00:00Z")
        drain()

    left = Undigested.objects.in_project(project).get()
    assert (left.id, left.attempts, left.failed_at is not None) == (bad.id, MAX_ATTEMPTS, True)
    assert "ZstdError" in left.error
    assert Digest.objects.in_project(project).get().id == good.id


@pytest.mark.parametrize("depth", [200, 900, 970, 985, 995, 100_000])
def test_json_nested_however_deep_costs_neither_its_digest_nor_its_neighbours(
    project: Project, depth: int
) -> None:
    deep = b'{"model":"m","choices":' + b"[" * depth + b"]" * depth + b"}"
    store_calls([make_call(project, response=deep), make_call(project)])

    drain()

    assert not Undigested.objects.in_project(project).exists()
    assert Digest.objects.in_project(project).count() == 2


def test_a_row_postgres_refuses_does_not_hold_up_the_others(project: Project) -> None:
    bad = make_call(project, response=bytes_of(RESPONSE | {"model": "poison"}))
    store_calls([make_call(project), bad, make_call(project)])

    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE requests_log_digest ADD CONSTRAINT poison "
            "CHECK (model_used <> 'poison') NOT VALID"
        )
        drain()
        cursor.execute("ALTER TABLE requests_log_digest DROP CONSTRAINT poison")

    assert Digest.objects.in_project(project).count() == 2
    assert Undigested.objects.in_project(project).get().attempts == 1


def test_rows_claimed_by_a_dead_worker_are_free_again(project: Project) -> None:
    store_calls([make_call(project) for _ in range(3)])
    with psycopg.connect(conninfo()) as dying:
        dying.execute("SELECT 1 FROM requests_log_undigested FOR UPDATE")
        drain()
        assert Digest.objects.in_project(project).count() == 0
        dying.rollback()

    drain()

    assert Digest.objects.in_project(project).count() == 3


def test_workers_at_once_share_the_outbox(project: Project) -> None:
    store_calls([make_call(project) for _ in range(120)])
    made: list[int] = []

    def work() -> None:
        while count := digest_once(10):
            made.append(count)
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    drain()

    assert Digest.objects.in_project(project).count() == 120
    assert not Undigested.objects.in_project(project).exists()


def test_a_deleted_request_leaves_the_outbox(project: Project) -> None:
    store_calls([make_call(project)])
    with connection.cursor() as cursor:
        for table in ("requests_log_request", "requests_log_body"):
            cursor.execute(f"DELETE FROM {table} WHERE project_id = %s", [project.pk])  # noqa: S608

    drain()

    assert not Undigested.objects.in_project(project).exists()


def test_the_loop_outlives_whatever_goes_wrong(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("requests_log.digest.loop.TROUBLE_SECONDS", 0.01)
    problems = [OperatorProblem("The built-in server is away."), RecursionError("too deep")]

    def digest() -> int:
        if problems:
            raise problems.pop()
        return digest_once()

    store_calls([make_call(project)])
    loop = DigestLoop(digest)
    loop.start()
    wait_until(Digest.objects.in_project(project).exists)
    loop.stop()

    assert Digest.objects.in_project(project).exists()


def test_the_loop_digests_what_arrives_and_stops_when_told(project: Project) -> None:
    loop = DigestLoop()
    loop.start()
    store_calls([make_call(project)])
    wait_until(Digest.objects.in_project(project).exists)

    loop.stop()

    assert not any(thread.name == "digest" for thread in threading.enumerate())


def test_the_loop_renews_the_text_index_of_what_is_gone(project: Project) -> None:
    store_calls([make_call(project)])
    digest_once()
    seal(project.pk)
    Digest.objects.in_project(project).delete()
    loop = DigestLoop()

    loop.start()
    for _ in range(200):
        if not TextSegment.objects.filter(project=project).exists():
            break
        threading.Event().wait(0.05)
    loop.stop()

    assert not TextSegment.objects.filter(project=project).exists()
