"""The catalogue of bad input (docs/bad-input.md), items 1 to 20: what ingest does with each."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
import zlib
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
import zstandard

from requests_log import bodies
from requests_log.digest.run import digest_once
from requests_log.ingest.events import MAX_KEYS
from requests_log.models import LoggedRequest, body_of
from tests.requests_log.conftest import Sender
from tests.requests_log.factories import batch_json, event_json, make_event
from workbench.core.ids import uuid7

MIB = 1 << 20
KEEP = "x" * 10


def status_of(sender: Sender, request: bytes) -> tuple[str, str]:
    """What became of an event with this request, and why; its neighbour must be stored."""
    answer = sender.post(batch_json(event_json(request), event_json(b"{}")))
    assert answer.status_code == 200, answer.text
    first, neighbour = answer.json()["results"]
    assert neighbour["status"] == "accepted"
    return first["status"], first.get("reason", "")


def kept_exactly(sender: Sender, request: bytes) -> bool:
    """Whether a request is accepted, comes back as it was sent, and can be digested."""
    identifier = uuid7()
    answer = sender.post(batch_json(event_json(request, event_id=str(identifier))))
    assert answer.json()["accepted"] == 1, answer.text
    while digest_once():
        pass
    body = body_of(sender.project, identifier)
    row = LoggedRequest.objects.in_project(sender.project).get(id=identifier)
    return body is not None and bodies.read(body).request == request and row.is_digested


def said(text: str) -> bytes:
    return b'{"messages":[{"role":"user","content":' + json.dumps(text).encode() + b"}]}"


@pytest.mark.parametrize("odd", ["\x00", "\ud800", "\ud800\x00"])
def test_items_1_and_2_nul_and_half_surrogates_are_kept_and_found(sender: Sender, odd: str) -> None:
    assert kept_exactly(sender, said(f"refund{odd} please"))

    rows = LoggedRequest.objects.in_project(sender.project)
    assert rows.filter(search__contains="refund").exists()
    assert "\ufffd" in (rows.get().input_preview or "")


UNREADABLE = [
    "{}".encode("utf-16"),
    b"\xef\xbb\xbf" + b'{"events": []}',
    b"\xc0\xae" + b'{"events": []}',
    b"{}{}",
    b'{"events": [',
    b"\x00",
    b"nul",
]


@pytest.mark.parametrize("body", UNREADABLE, ids=range(len(UNREADABLE)))
def test_items_4_and_9_a_body_that_is_no_json_in_utf8_is_a_clean_400(
    sender: Sender, body: bytes
) -> None:
    answer = sender.post(body)

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "malformed")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize("field", ["duration_ms", "ttft_ms", "http_status"])
def test_item_5_numbers_that_are_none_are_rejected_in_typed_fields(
    sender: Sender, number: str, field: str
) -> None:
    event = json.dumps(make_event(**{field: KEEP})).replace(f'"{KEEP}"', number).encode()

    result = sender.post(batch_json(event, event_json(b"{}"))).json()["results"]

    assert [one["status"] for one in result] == ["rejected", "accepted"]
    assert field in result[0]["reason"] or number in result[0]["reason"]


BIG = [b"1" * 30, b"9" * 5000, b"1e400000", b"-1E-400000", b"0." + b"1" * 5000]


@pytest.mark.parametrize("number", BIG, ids=range(len(BIG)))
def test_item_6_long_numbers_lose_no_digit(sender: Sender, number: bytes) -> None:
    assert kept_exactly(sender, b'{"seed":' + number + b"}")


def test_item_8_too_many_keys_are_rejected(sender: Sender) -> None:
    def with_keys(count: int) -> bytes:
        return b"{" + b",".join(b'"k%d" : 1' % number for number in range(count)) + b"}"

    own = event_json(b"{}").count(b'":')
    fits = status_of(sender, with_keys(MAX_KEYS - own))
    over = status_of(sender, with_keys(MAX_KEYS + 1))
    million = status_of(sender, with_keys(1_000_000))

    assert fits == ("accepted", "")
    assert over == ("rejected", "Its objects have more than 10,000 keys together.")
    assert million[0] == "rejected"


def test_item_8_a_colon_in_text_is_no_key(sender: Sender) -> None:
    assert status_of(sender, said('a "quoted": ' * 20_000))[0] == "accepted"


def test_item_8_a_key_of_a_mebibyte_is_rejected(sender: Sender) -> None:
    status, reason = status_of(sender, b'{"' + b"k" * MIB + b'": 1}')

    assert (status, reason) == ("rejected", "One of its keys is longer than 64 KiB.")


DANGEROUS = [
    b'{"__proto__": {"a": 1}, "__class__": "x", "constructor": {"prototype": {}}}',
    b'{"a": 1, "a": 2}',
    b'{"' + b".".join([b"a"] * 500) + b'": 1}',
    b'{"": {"": ""}}',
]


@pytest.mark.parametrize("request_bytes", DANGEROUS, ids=range(len(DANGEROUS)))
def test_item_8_dangerous_names_are_only_names(sender: Sender, request_bytes: bytes) -> None:
    assert kept_exactly(sender, request_bytes)


def test_item_10_a_prompt_of_8_mib_and_200_000_words_is_kept_and_cut_in_the_index(
    sender: Sender,
) -> None:
    words = " ".join(f"word{number}" for number in range(200_000))

    assert kept_exactly(sender, said(words + "x" * (8 * MIB - len(words))))

    assert LoggedRequest.objects.in_project(sender.project).get().search_cut


def test_item_11_long_users_sessions_and_tags_are_kept_and_found(sender: Sender) -> None:
    long = "u" * 8999
    event = make_event(user=long + "1", session=long + "2", tags={"t" * 200: long + "3"})

    assert sender.send(event)["accepted"] == 1

    rows = LoggedRequest.objects.in_project(sender.project)
    assert rows.of_user(long + "1").in_session(long + "2").exists()
    assert not rows.of_user(long + "2").exists()
    assert rows.tagged("t" * 200, long + "3").exists()


TRICKS = ["\u202egnp.exe", "pay\u200bpal", "a" + "\u0301" * 5000, "p\u0430ypal", "\u2028<b>"]


@pytest.mark.parametrize("text", TRICKS, ids=range(len(TRICKS)))
def test_item_12_deceptive_letters_are_kept_as_letters(sender: Sender, text: str) -> None:
    assert kept_exactly(sender, said(text))


MOMENTS = [
    ("0001-01-01T00:00:00Z", "accepted"),
    ("9999-12-31T23:59:59Z", "accepted"),
    ("1969-12-31T23:59:59.5Z", "accepted"),
    ("2030-01-01T00:00:00Z", "accepted"),
    ("2026-03-29T02:30:00+01:00", "accepted"),
    ("9999-12-31T23:59:59-23:00", "rejected"),
    ("0001-01-01T00:00:00+01:00", "rejected"),
    ("2026-01-01T00:00:00", "rejected"),
    ("2016-12-31T23:59:60Z", "rejected"),
    ("-0001-01-01T00:00:00Z", "rejected"),
    ("10000-01-01T00:00:00Z", "rejected"),
    ("", "rejected"),
]


@pytest.mark.parametrize(("moment", "status"), MOMENTS)
def test_item_13_odd_moments_are_kept_or_named(sender: Sender, moment: str, status: str) -> None:
    event = make_event(started_at=moment)

    answers = [sender.send(event)["results"][0] for _ in range(2)]

    again = "duplicate" if status == "accepted" else "rejected"
    assert [one["status"] for one in answers] == [status, again]
    if status == "rejected":
        assert "started_at" in answers[0]["reason"]
    else:
        row = LoggedRequest.objects.in_project(sender.project).get()
        assert row.started_at == datetime.fromisoformat(moment).astimezone(UTC)


def wide_window() -> bytes:
    """A zstd frame whose header asks for a window of 128 MiB."""
    wide = zstandard.ZstdCompressionParameters(window_log=27, write_content_size=False)
    compressor = zstandard.ZstdCompressor(compression_params=wide)
    stream = compressor.compressobj()
    return stream.compress(batch_json(event_json(b"{}"))) + stream.flush()


LIES: list[tuple[str, bytes, int, str]] = [
    ("gzip", b"not compressed", 400, "broken_encoding"),
    ("gzip", zstandard.ZstdCompressor().compress(b"{}"), 400, "broken_encoding"),
    ("zstd", gzip.compress(b"{}"), 400, "broken_encoding"),
    ("zstd", wide_window(), 400, "broken_encoding"),
    ("gzip", gzip.compress(gzip.compress(b"{}")), 400, "malformed"),
    ("identity", gzip.compress(b"{}"), 400, "malformed"),
    ("gzip", gzip.compress(b"{}") + b"tail", 400, "broken_encoding"),
    ("gzip", gzip.compress(b"") * 100_000, 400, "broken_encoding"),
    ("gzip", gzip.compress(b" " * 200 * MIB), 413, "too_large"),
    ("gzip", gzip.compress(b" " * MIB) * 200, 413, "too_large"),
    ("zstd", zstandard.ZstdCompressor().compress(b" " * 200 * MIB), 413, "too_large"),
    ("snappy", b"\xff\xff\xff\xff\x7f", 415, "unknown_encoding"),
    ("gzip, zstd", b"", 415, "unknown_encoding"),
    ("gzip", zlib.compress(b"{}"), 400, "broken_encoding"),
]


@pytest.mark.parametrize(("encoding", "body", "status", "code"), LIES, ids=range(len(LIES)))
def test_item_14_bombs_and_lies_about_the_encoding_end_in_bounded_memory(
    sender: Sender, encoding: str, body: bytes, status: int, code: str
) -> None:
    before = psutil.Process().memory_info().rss

    answer = sender.post(body, Content_Encoding=encoding)

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert psutil.Process().memory_info().rss - before < 100 * MIB


def raw_exchange(sender: Sender, sent: bytes, *, leave: bool = False) -> bytes:
    """What a server answers to bytes until it closes; nothing when the client leaves at once."""
    address = urlsplit(sender.url)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=60) as one:
        with suppress(OSError):  # it may close before it has heard all
            one.sendall(sent)
        answer = b""
        with suppress(OSError):
            while not leave and (part := one.recv(65536)):
                answer += part
        return answer


def head(sender: Sender, *lines: str, target: str = "/api/v1/ingest") -> bytes:
    known = ["Host: 127.0.0.1", "Connection: close", f"Authorization: Bearer {sender.key}"]
    shown = [f"POST {target} HTTP/1.1", *known, *lines]
    return "\r\n".join(shown).encode("latin-1") + b"\r\n\r\n"


def statuses(answer: bytes) -> list[int]:
    """The status of every response in there."""
    lines = [line for line in answer.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]
    return [int(line.split()[1]) for line in lines]


EMPTY = b'{"events":[]}'
CHUNKED = "Transfer-Encoding: chunked"
FRAMINGS: dict[str, tuple[list[str], bytes]] = {
    "too small": (["Content-Length: 3"], EMPTY),
    "negative": (["Content-Length: -1"], EMPTY),
    "not a number": (["Content-Length: 0x10"], EMPTY),
    "two lengths": (["Content-Length: 13", "Content-Length: 14"], EMPTY),
    "bad chunk size": ([CHUNKED], b"zz\r\n" + EMPTY + b"\r\n0\r\n\r\n"),
    "huge chunk size": ([CHUNKED], b"f" * 40 + b"\r\n" + EMPTY),
    "chunk without end": ([CHUNKED], b"d\r\n" + EMPTY + b"XX0\r\n\r\n"),
}


@pytest.mark.parametrize("name", FRAMINGS)
def test_item_15_a_body_framed_wrongly_is_refused_and_stores_nothing(
    sender: Sender, name: str
) -> None:
    lines, body = FRAMINGS[name]

    answer = raw_exchange(sender, head(sender, *lines) + body)

    assert len(statuses(answer)) == 1, answer
    assert 400 <= statuses(answer)[0] < 500
    assert sender.send(make_event())["accepted"] == 1


def test_item_15_a_request_hidden_behind_two_framings_is_not_answered(sender: Sender) -> None:
    hidden = head(sender, "Content-Length: 13") + EMPTY
    lines = ["Content-Length: 5", CHUNKED]

    answer = raw_exchange(sender, head(sender, *lines) + b"0\r\n\r\n" + hidden)

    assert len(statuses(answer)) == 1, answer
    assert 400 <= statuses(answer)[0] < 500


def test_item_15_a_body_shorter_than_it_said_is_no_batch(sender: Sender) -> None:
    event = make_event()
    body = json.dumps({"events": [event]}).encode()

    raw_exchange(sender, head(sender, f"Content-Length: {len(body) + 9}") + body, leave=True)

    assert not LoggedRequest.objects.in_project(sender.project).exists()


def test_item_16_clients_that_never_finish_hold_up_nobody(sender: Sender) -> None:
    address = urlsplit(sender.url)
    place = (address.hostname or "", address.port or 0)
    slow = [socket.create_connection(place, timeout=60) for _ in range(200)]
    try:
        for number, one in enumerate(slow):
            one.sendall(head(sender, "Content-Length: 99") + b"{" if number % 2 else b"POST /api")

        answers = [sender.send(make_event())["accepted"] for _ in range(5)]
    finally:
        for one in slow:
            one.close()

    assert answers == [1] * 5


LARGE_HEADS: dict[str, tuple[list[str], str]] = {
    "100,000 headers": ([f"X-{number}: 1" for number in range(100_000)], "/api/v1/ingest"),
    "a header of a mebibyte": (["X-Long: " + "x" * MIB], "/api/v1/ingest"),
    "an address of a mebibyte": ([], "/api/v1/ingest?" + "x" * MIB),
    "NUL in a header": (["X-Odd: a\x00b"], "/api/v1/ingest"),
    "a header folded": (["X-Odd: a", " b"], "/api/v1/ingest"),
    "NUL in the path": ([], "/api/v1/ingest%00"),
    "dots in the path": ([], "/api/v1/..%2f..%2fingest"),
    "a line end in the path": ([], "/api/v1/ingest%0d%0aX:1"),
}


@pytest.mark.parametrize("name", LARGE_HEADS)
def test_item_17_large_and_odd_heads_break_nothing(sender: Sender, name: str) -> None:
    lines, target = LARGE_HEADS[name]
    length = f"Content-Length: {len(EMPTY)}"

    answer = raw_exchange(sender, head(sender, length, *lines, target=target) + EMPTY)

    assert [status < 500 for status in statuses(answer)] in ([True], []), answer[:300]
    if "path" in name:
        assert statuses(answer) == [404]
    assert sender.send(make_event())["accepted"] == 1


def test_item_18_multipart_is_refused_unread(sender: Sender) -> None:
    boundary = "b" * MIB
    parts = f"--{boundary}\r\n\r\n\r\n".encode() * 15

    short = sender.post(
        b"--b\r\n\r\n\r\n" * 100_000, Content_Type="multipart/form-data; boundary=b"
    )
    long = raw_exchange(
        sender,
        head(
            sender,
            f"Content-Type: multipart/form-data; boundary={boundary}",
            f"Content-Length: {len(parts)}",
        )
        + parts,
    )

    assert (short.status_code, short.json()["error"]["code"]) == (415, "unknown_type")
    assert statuses(long) in ([400], [415], [431], []), long[:300]


def test_item_19_a_client_that_leaves_before_its_body_ends_leaves_nothing(
    sender: Sender,
) -> None:
    body = json.dumps({"events": [make_event()]}).encode()

    raw_exchange(sender, head(sender, f"Content-Length: {len(body)}") + body[:-2], leave=True)

    assert not LoggedRequest.objects.in_project(sender.project).exists()
    assert sender.send()["accepted"] == 0


def test_item_19_a_client_that_leaves_before_the_answer_may_send_it_again(
    sender: Sender,
) -> None:
    event = make_event()
    body = json.dumps({"events": [event]}).encode()
    address = urlsplit(sender.url)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=60) as one:
        one.sendall(head(sender, f"Content-Length: {len(body)}") + body)

    again = sender.send(event)["results"][0]["status"]

    assert again in {"accepted", "duplicate"}
    for _ in range(1200):
        if LoggedRequest.objects.in_project(sender.project).exists():
            break
        time.sleep(0.05)
    assert LoggedRequest.objects.in_project(sender.project).count() == 1


def test_item_20_one_id_with_two_contents_at_once_is_stored_once_and_told(
    sender: Sender,
) -> None:
    event = make_event()
    answers: list[dict[str, Any]] = []

    def send(number: int) -> None:
        content = event | {"request": {"n": number % 2}}
        answers.append(sender.send(content)["results"][0])

    threads = [threading.Thread(target=send, args=[number]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    reasons = sorted(one.get("reason", "") for one in answers)
    assert sorted(one["status"] for one in answers) == ["accepted"] + ["duplicate"] * 5
    assert sum("different content" in reason for reason in reasons) == 3
    assert LoggedRequest.objects.in_project(sender.project).count() == 1


def test_item_20_two_contents_of_one_id_in_one_batch_are_told_apart(sender: Sender) -> None:
    event = make_event()

    results = sender.send(event, event, event | {"response": None})["results"]

    assert [one["status"] for one in results] == ["accepted", "duplicate", "duplicate"]
    assert ["different" in one.get("reason", "") for one in results] == [False, False, True]
