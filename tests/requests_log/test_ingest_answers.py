"""What ingest answers: keys, limits, broken batches, and one result for every event."""

from __future__ import annotations

import gzip
import json
import threading
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx2 as httpx
import psutil
import pytest
import zstandard
from django.utils import timezone

from requests_log.models import DroppedByClient, LoggedRequest
from tests.factories import make_api_key, make_project
from tests.requests_log.conftest import Sender, forget_project
from tests.requests_log.factories import batch_json, event_json, make_event
from workbench.core.actions import revoke_api_key
from workbench.core.hotkeys import shared as shared_keys
from workbench.core.ids import uuid7
from workbench.core.models import ApiKey

MIB = 1 << 20


def rejected_reason(sender: Sender, **fields: Any) -> str:
    answer = sender.send(make_event(**fields))
    assert answer["rejected"] == 1, answer
    return str(answer["results"][0]["reason"])


def error_code(answer: httpx.Response) -> str:
    assert set(answer.json()["error"]) == {"code", "message"}
    return str(answer.json()["error"]["code"])


BAD_KEYS = [
    "",
    "Bearer",
    "Basic abc",
    "Bearer sh_abcdefgh_" + "x" * 43,
    "Bearer ' OR 1=1 --",
    "Bearer " + "y" * 10_000,
]


@pytest.mark.parametrize("header", BAD_KEYS, ids=range(len(BAD_KEYS)))
def test_a_bad_key_is_answered_401(sender: Sender, header: str) -> None:
    answer = sender.post(b"{}", Authorization=header)

    assert (answer.status_code, error_code(answer)) == (401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_the_right_prefix_with_a_wrong_secret_is_answered_401(sender: Sender) -> None:
    prefix = sender.key.rsplit("_", 1)[0]

    assert sender.post(b"{}", Authorization=f"Bearer {prefix}_{'z' * 43}").status_code == 401


def test_a_key_without_the_scope_is_answered_403(sender: Sender) -> None:
    _, key = make_api_key(sender.project, scopes=["read"])

    answer = sender.post(b"{}", Authorization=f"Bearer {key}")

    assert (answer.status_code, error_code(answer)) == (403, "forbidden")


def test_a_revoked_key_stops_working_once_it_is_looked_up_again(sender: Sender) -> None:
    assert sender.post(b'{"events": []}').status_code == 200
    revoke_api_key(ApiKey.objects.get(project=sender.project), at=timezone.now())

    shared_keys().forget()

    assert sender.post(b'{"events": []}').status_code == 401


def test_an_expired_key_is_answered_401(sender: Sender) -> None:
    past = timezone.now() - timedelta(seconds=1)
    ApiKey.objects.filter(project=sender.project).update(expires_at=past)

    assert sender.post(b'{"events": []}').status_code == 401


def test_a_key_stores_only_in_its_own_project(sender: Sender) -> None:
    other = make_project(name="Elsewhere")
    event = make_event(project_id=other.pk, project="Elsewhere")

    sender.send(event)

    assert not LoggedRequest.objects.in_project(other).exists()
    assert LoggedRequest.objects.in_project(sender.project).count() == 1
    forget_project(other)


def test_the_same_id_in_two_projects_is_two_requests(sender: Sender) -> None:
    other = make_project(name="Elsewhere")
    stranger = Sender(sender.url, other, make_api_key(other)[1])
    event = make_event()

    answers = [sender.send(event), stranger.send(event)]

    assert [answer["accepted"] for answer in answers] == [1, 1]
    forget_project(other)


MALFORMED = [
    b"",
    b"[]",
    b"null",
    b'"x"',
    b'{"events": 5}',
    b'{"events": [1',
    b'{"events": []} trailing',
    b'{"events": [}',
    b"\xef\xbb\xbf{}",
    '{"events": []}'.encode("utf-16"),
    b'{"events": [' + b"[" * 100_000,
]


@pytest.mark.parametrize("body", MALFORMED, ids=range(len(MALFORMED)))
def test_a_malformed_batch_is_answered_400(sender: Sender, body: bytes) -> None:
    answer = sender.post(body)

    assert (answer.status_code, error_code(answer)) == (400, "malformed")


def test_only_post_is_taken(sender: Sender) -> None:
    answer = httpx.get(f"{sender.url}/api/v1/ingest", timeout=60)

    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_unknown_types_and_encodings_are_answered_415(sender: Sender) -> None:
    answers = [
        sender.post(b"{}", Content_Type="text/html"),
        sender.post(b"{}", Content_Encoding="br"),
        sender.post(b"{}", Content_Encoding="gzip, gzip"),
    ]

    assert [answer.status_code for answer in answers] == [415, 415, 415]


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_broken_encoding_is_answered_400(sender: Sender, encoding: str) -> None:
    compress = gzip.compress if encoding == "gzip" else zstandard.ZstdCompressor().compress
    whole = compress(batch_json(event_json(b"{}")))

    answers = [
        sender.post(b"not compressed", Content_Encoding=encoding),
        sender.post(whole[:-9], Content_Encoding=encoding),
    ]

    assert [answer.status_code for answer in answers] == [400, 400]


def bomb(encoding: str, mebibytes: int) -> bytes:
    """A batch of so much emptiness, packed without ever being whole."""
    head, space, tail = b'{"events": ["', b" " * MIB, b'"]}'
    size = len(head) + mebibytes * MIB + len(tail)
    to_zstd = zstandard.ZstdCompressor().compressobj(size=size)
    packer: Any = zlib.compressobj(wbits=31) if encoding == "gzip" else to_zstd
    parts = [packer.compress(part) for part in (head, *[space] * mebibytes, tail)]
    return b"".join(parts) + bytes(packer.flush())


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_bomb_is_answered_413_in_bounded_memory(sender: Sender, encoding: str) -> None:
    sent = bomb(encoding, 400)
    before = psutil.Process().memory_info().rss

    answer = sender.post(sent, Content_Encoding=encoding)

    assert (answer.status_code, error_code(answer)) == (413, "too_large")
    assert psutil.Process().memory_info().rss - before < 100 * MIB


def test_an_oversized_body_is_answered_413(sender: Sender) -> None:
    declared = sender.post(b" " * (20 * MIB + 1))

    assert (declared.status_code, error_code(declared)) == (413, "too_large")


def test_too_many_events_are_answered_413(sender: Sender) -> None:
    answer = sender.post(batch_json(*[b"{}"] * 1001))

    assert (answer.status_code, error_code(answer)) == (413, "too_many_events")


def test_every_event_gets_its_own_result_in_order(sender: Sender) -> None:
    good, other = make_event(), make_event()
    sender.send(other)

    answer = sender.send(good, {}, make_event(id="x"), other, good)

    assert [(one["id"], one["status"]) for one in answer["results"]] == [
        (good["id"], "accepted"),
        (None, "rejected"),
        ("x", "rejected"),
        (other["id"], "duplicate"),
        (good["id"], "duplicate"),
    ]
    assert (answer["accepted"], answer["duplicates"], answer["rejected"]) == (1, 2, 2)


def test_ndjson_rejects_only_the_broken_lines(sender: Sender) -> None:
    lines = [event_json(b"{}"), b"{broken", b"", event_json(rb'{"a": "\ud800"}') + b"\r"]

    answer = sender.post(b"\n".join(lines), Content_Type="application/x-ndjson; charset=utf-8")

    assert [one["status"] for one in answer.json()["results"]] == [
        "accepted",
        "rejected",
        "accepted",
    ]


def test_bytes_that_are_not_utf8_reject_that_event_only(sender: Sender) -> None:
    answer = sender.post(batch_json(event_json(b'{"a": "\xff\xfe"}'), event_json(b"{}")))

    assert [one["status"] for one in answer.json()["results"]] == ["rejected", "accepted"]
    assert "UTF-8" in answer.json()["results"][0]["reason"]


def test_an_id_must_be_a_uuid_of_version_7(sender: Sender) -> None:
    assert "version 7" in rejected_reason(sender, id=str(uuid4()))


def test_an_id_from_the_far_future_is_rejected(sender: Sender) -> None:
    ahead = uuid7(datetime.now(UTC) + timedelta(minutes=11))

    assert "10 minutes ahead" in rejected_reason(sender, id=str(ahead))


def test_an_id_from_slightly_ahead_is_accepted(sender: Sender) -> None:
    ahead = uuid7(datetime.now(UTC) + timedelta(minutes=9))

    assert sender.send(make_event(id=str(ahead)))["accepted"] == 1


WRONG_FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"type": "dream"}, "type"),
    ({"operation": "dream"}, "operation"),
    ({"started_at": "yesterday"}, "started_at"),
    ({"started_at": "2026-01-01T00:00:00"}, "timezone"),
    ({"started_at": "0001-01-01T00:00:00+10:00"}, "started_at"),
    ({"status": "fine"}, "status"),
    ({"duration_ms": -1}, "duration_ms"),
    ({"http_status": 99999999999}, "http_status"),
    ({"model": "m" * 501}, "model"),
    ({"tags": {"a": 1}}, "tags"),
    ({"tags": {str(n): "" for n in range(65)}}, "tags"),
    ({"prompt": {"version": 2**31}}, "prompt.version"),
    ({"request": [1]}, "request"),
    ({"request": None}, "request"),
]


@pytest.mark.parametrize(("fields", "named"), WRONG_FIELDS, ids=range(len(WRONG_FIELDS)))
def test_a_wrong_field_is_named(sender: Sender, fields: dict[str, Any], named: str) -> None:
    assert named in rejected_reason(sender, **fields)


def test_unknown_fields_are_ignored(sender: Sender) -> None:
    assert sender.send(make_event(something_new={"a": 1}))["accepted"] == 1


def nested(depth: int) -> bytes:
    return b'{"a":' * (depth - 1) + b"{}" + b"}" * (depth - 1)


@pytest.mark.parametrize(
    ("depth", "status"), [(127, "accepted"), (128, "accepted"), (129, "rejected")]
)
def test_nesting_is_capped_at_128(sender: Sender, depth: int, status: str) -> None:
    answer = sender.post(batch_json(event_json(nested(depth))))

    assert answer.json()["results"][0]["status"] == status


def test_a_very_deep_event_does_not_cost_its_neighbours(sender: Sender) -> None:
    answer = sender.post(batch_json(event_json(nested(100_000)), event_json(b"{}")))

    assert [one["status"] for one in answer.json()["results"]] == ["rejected", "accepted"]


def test_dropped_counts_are_kept_by_day_and_reason(sender: Sender) -> None:
    for _ in range(2):
        sender.send(dropped={"queue full": 3, "too large": 1})

    rows = DroppedByClient.objects.in_project(sender.project)
    assert dict(rows.values_list("reason", "count")) == {"queue full": 6, "too large": 2}


def test_one_id_sent_by_many_at_once_is_stored_once(sender: Sender) -> None:
    event = make_event()
    verdicts: list[str] = []

    def send() -> None:
        verdicts.append(sender.send(event, make_event())["results"][0]["status"])

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(verdicts) == ["accepted"] + ["duplicate"] * 7
    assert LoggedRequest.objects.in_project(sender.project).count() == 9


def test_a_retry_with_other_content_is_told_so_and_changes_nothing(sender: Sender) -> None:
    event = make_event()
    sender.send(event)

    answer = sender.send(event | {"request": {"changed": True}})

    assert answer["results"][0]["status"] == "duplicate"
    assert "different content" in answer["results"][0]["reason"]


def test_json_with_a_million_quotes_is_read_in_linear_time(sender: Sender) -> None:
    body = b'{"events": [' + rb'"\"' * (1 * MIB) + b"\n"

    assert sender.post(body).status_code == 400


def test_the_answer_is_json_even_for_odd_ids(sender: Sender) -> None:
    body = batch_json(json.dumps(make_event(id="\ud800\x00")).encode())

    assert sender.post(body).json()["results"][0]["id"] == "\ufffd\ufffd"
