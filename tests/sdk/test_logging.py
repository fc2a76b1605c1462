from __future__ import annotations

import dataclasses
import datetime
import json
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pydantic
import pytest

from stillhouse import Client, ConfigurationError, DeliveryError
from tests.sdk.conftest import KEY, ClientMaker
from tests.sdk.servers import Answer, StillhouseServer, black_hole, dead_url

HELLO = {"model": "small", "messages": [{"role": "user", "content": "hello"}]}


def test_a_logged_call_arrives_as_the_wire_contract_says(
    server: StillhouseServer, make_client: ClientMaker
) -> None:
    client = make_client(environment="production", release="1.2")

    event_id = client.log(
        request=HELLO,
        response={"id": "r"},
        provider="openai",
        model="small",
        started_at=datetime.datetime(2026, 11, 21, 9, 0, 0, 123456, datetime.UTC),
        duration_ms=812.4,
        ttft_ms=120.0,
        http_status=200,
        tags={"route": "checkout", "attempt": 2},
        prompt={"name": "triage", "version": 3, "variables": {"x": 1}},
        user="u1",
        session="s1",
        trace={"trace_id": "t"},
    )

    assert client.flush(60)
    assert server.events == [
        {
            "id": event_id,
            "type": "request",
            "started_at": "2026-11-21T09:00:00.123456Z",
            "duration_ms": 812.4,
            "ttft_ms": 120.0,
            "provider": "openai",
            "operation": "chat",
            "model": "small",
            "status": "ok",
            "http_status": 200,
            "request": HELLO,
            "response": {"id": "r"},
            "prompt": {"name": "triage", "version": 3, "variables": {"x": 1}},
            "tags": {"route": "checkout", "attempt": "2"},
            "user": "u1",
            "session": "s1",
            "trace": {"trace_id": "t"},
            "environment": "production",
            "release": "1.2",
            "source": "sdk",
        }
    ]
    request = server.seen[0]
    assert request.path == "/api/v1/ingest"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["content-encoding"] == "gzip"


def test_the_id_is_a_version_7_uuid_of_this_moment(client: Client) -> None:
    before = time.time_ns() // 1_000_000

    event_id = uuid.UUID(client.log(request=HELLO) or "")

    assert event_id.version == 7
    assert event_id.variant == uuid.RFC_4122
    assert before <= event_id.int >> 80 <= time.time_ns() // 1_000_000


def test_changing_the_request_after_logging_does_not_change_the_log(
    server: StillhouseServer, client: Client
) -> None:
    request: dict[str, Any] = {"messages": [{"role": "user", "content": "first"}]}
    client.log(request=request)

    request["messages"][0]["content"] = "changed"
    request["messages"].append("more")

    assert client.flush(60)
    assert server.events[0]["request"] == {"messages": [{"role": "user", "content": "first"}]}


def test_raw_response_bytes_are_kept_as_they_are(server: StillhouseServer, client: Client) -> None:
    raw = b'{"b":1.50,  "a":"\\u00e9", "n":123456789012345678901234567890}'

    client.log(request=HELLO, response=raw)

    assert client.flush(60)
    assert b'"response":' + raw + b"}" in server.seen[0].raw


def test_a_response_that_is_not_json_does_not_spoil_its_batch(
    server: StillhouseServer, client: Client
) -> None:
    client.log(request=HELLO, response=b"<html>")
    client.log(request=HELLO)

    assert client.flush(60)
    assert server.events[0]["response"] == {"$stillhouse": "not_json", "text": "<html>"}
    assert len(server.events) == 2


class Animal(pydantic.BaseModel):
    name: str
    legs: int = 4


@dataclasses.dataclass
class Point:
    x: int


def endless() -> Iterator[int]:
    while True:
        yield 1


def unserialisable(name: str) -> dict[str, str]:
    return {"$stillhouse": "unserialisable", "type": name}


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (object(), unserialisable("builtins.object")),
        (endless(), unserialisable("builtins.generator")),
        (threading.Lock(), unserialisable("_thread.lock")),
        (Animal, unserialisable("pydantic._internal._model_construction.ModelMetaclass")),
        (Animal(name="cat"), {"name": "cat"}),
        (Point(3), {"x": 3}),
        (b"text", "text"),
        (b"\xff\x00", {"$stillhouse": "bytes", "size": 2}),
        (float("nan"), {"$stillhouse": "not_finite", "value": "nan"}),
        ({1, 2}, [1, 2]),
        ({(1, 2): "pair"}, {"(1, 2)": "pair"}),
        (datetime.date(2026, 11, 21), "2026-11-21"),
        (10**30, 10**30),
        ("nul \x00 and surrogate \ud800", "nul \x00 and surrogate \ud800"),
    ],
)
def test_odd_values_are_kept_or_marked(
    server: StillhouseServer, client: Client, value: object, kept: object
) -> None:
    client.log(request={"odd": value, "model": "small"})
    client.log(request=HELLO)

    assert client.flush(60)
    assert server.events[0]["request"] == {"odd": kept, "model": "small"}
    assert server.events[1]["request"] == HELLO


def test_a_circular_object_is_marked(server: StillhouseServer, client: Client) -> None:
    loop: list[Any] = [1]
    loop.append(loop)

    client.log(request={"loop": loop, "odd": object()})
    client.log(request={"loop": loop})

    assert client.flush(60)
    for event in server.events:
        assert event["request"]["loop"] == [1, {"$stillhouse": "circular"}]


def test_a_hostile_object_leaves_host_and_neighbours_alone(
    server: StillhouseServer, client: Client
) -> None:
    class Hostile:
        def model_dump(self, **_: Any) -> object:
            client.log(request={"recursive": self})
            raise RuntimeError("never into the host")

    client.log(request={"odd": Hostile(), "kept": 1})

    assert client.flush(60)
    assert server.events[0]["request"]["kept"] == 1
    assert client.stats().dropped == {"reentrant": 1}


def test_a_huge_request_keeps_head_and_tail_and_says_so(
    server: StillhouseServer, client: Client
) -> None:
    text = "head" + "x" * 12_000_000 + "tail"

    client.log(request={"model": "small", "messages": [{"role": "user", "content": text}]})

    assert client.flush(60)
    request = server.events[0]["request"]
    content = request["messages"][0]["content"]
    assert content.startswith("headx")
    assert content.endswith("xtail")
    assert "stillhouse cut" in content
    assert request["model"] == "small"
    assert len(server.seen[0].raw) <= 8 * 1024 * 1024 + 1024


def test_a_huge_response_is_marked_truncated(server: StillhouseServer, client: Client) -> None:
    raw = json.dumps({"text": "y" * 9_000_000}).encode()

    client.log(request=HELLO, response=raw)

    assert client.flush(60)
    response = server.events[0]["response"]
    assert response["$stillhouse"] == "truncated"
    assert response["bytes"] == len(raw)


def test_calls_are_sent_in_batches_of_at_most_a_hundred(
    server: StillhouseServer, make_client: ClientMaker
) -> None:
    client = make_client(flush_interval=60)

    for _ in range(250):
        client.log(request=HELLO)

    assert client.flush(60)
    assert [len(seen.envelope["events"]) for seen in server.seen] == [100, 100, 50]
    assert len({seen.client for seen in server.seen}) == 1, "one kept connection"


def test_batches_stay_near_a_mebibyte(server: StillhouseServer, make_client: ClientMaker) -> None:
    client = make_client(flush_interval=60)

    for _ in range(10):
        client.log(request={"text": "x" * 300_000})

    assert client.flush(60)
    assert max(len(seen.raw) for seen in server.seen) <= 1024 * 1024
    assert len(server.events) == 10


def test_calls_are_sent_without_flush_after_the_interval(
    server: StillhouseServer, make_client: ClientMaker
) -> None:
    client = make_client(flush_interval=0.05)

    client.log(request=HELLO)

    deadline = time.monotonic() + 60
    while not server.events and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(server.events) == 1


def test_a_full_queue_drops_the_newest_and_reports_it_later(
    server: StillhouseServer, make_client: ClientMaker
) -> None:
    server.failures = [Answer(503, {}, {"Retry-After": "0"})]
    client = make_client(max_queue_items=3, flush_interval=60)

    kept = [client.log(request=HELLO) for _ in range(5)]

    assert kept[3:] == [None, None]
    assert client.stats().dropped == {"queue_full": 2}
    assert client.flush(60)
    assert set(server.stored) == set(kept[:3])
    assert server.dropped == [{"queue_full": 2}]
    client.log(request=HELLO)
    assert client.flush(60)
    assert server.dropped[1] == {}, "reported once"


def test_the_queue_is_bounded_by_bytes(make_client: ClientMaker) -> None:
    client = make_client(dead_url(), max_queue_bytes=100_000)

    for _ in range(50):
        client.log(request={"text": "x" * 10_000})

    assert client.stats().queued_bytes <= 100_000
    assert client.stats().dropped["queue_full_bytes"] > 30


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_a_passing_failure_is_retried_and_stored_once(
    server: StillhouseServer, client: Client, status: int
) -> None:
    server.failures = [Answer(status, {})]
    server.store_before_failing = True  # the answer got lost, the rows did not

    client.log(request=HELLO)

    assert client.flush(60)
    assert len(server.seen) == 2
    assert len(server.stored) == 1
    assert client.stats().duplicates == 1
    assert client.stats().dropped == {}


def test_retry_after_is_honoured(server: StillhouseServer, client: Client) -> None:
    server.failures = [Answer(503, {}, {"Retry-After": "1"})]

    client.log(request=HELLO)

    assert client.flush(60)
    first, second = server.seen
    assert second.at - first.at >= 1.0


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 413, 422])
def test_a_refusal_is_not_retried_but_counted_and_told(
    server: StillhouseServer, make_client: ClientMaker, status: int
) -> None:
    told: list[DeliveryError] = []
    client = make_client(on_error=told.append)
    server.failures = [Answer(status, {"error": {"code": "x", "message": "Make a new key."}})]

    client.log(request=HELLO)
    client.log(request=HELLO)

    assert client.flush(60)
    assert len(server.seen) == 1
    assert client.stats().dropped == {f"refused_{status}": 2}
    assert (told[0].status, told[0].count) == (status, 2)
    assert "Make a new key." in str(told[0])


def test_a_page_that_is_not_ours_does_not_count_as_stored(
    server: StillhouseServer, client: Client
) -> None:
    server.failures = [Answer(200, b"<html>Please sign in to the airport network</html>")]

    client.log(request=HELLO)

    assert client.flush(60)
    assert len(server.seen) == 2
    assert len(server.stored) == 1


def test_a_rejected_event_is_told_and_its_batch_is_stored(
    server: StillhouseServer, make_client: ClientMaker
) -> None:
    told: list[DeliveryError] = []
    client = make_client(on_error=told.append)
    server.reject = lambda event: "too deep" if event["request"] == {"bad": 1} else None

    client.log(request={"bad": 1})
    client.log(request=HELLO)

    assert client.flush(60)
    assert len(server.stored) == 1
    assert client.stats().sent == 1
    assert client.stats().dropped == {"rejected": 1}
    assert "too deep" in str(told[0])


def test_a_failing_error_hook_that_logs_again_is_harmless(
    server: StillhouseServer, make_client: ClientMaker
) -> None:
    def hook(error: DeliveryError) -> None:
        client.log(request=HELLO)
        raise error

    client = make_client(on_error=hook)
    server.failures = [Answer(401, {})]
    client.log(request=HELLO)
    assert client.flush(60)

    client.log(request=HELLO)

    assert client.flush(60)
    assert len(server.stored) == 1


def test_logging_does_not_wait_for_a_server_that_never_answers(make_client: ClientMaker) -> None:
    with black_hole() as url:
        client = make_client(url, max_queue_items=200)

        for _ in range(1000):
            client.log(request=HELLO)

        assert not client.flush(0.1)
        assert client.stats().queued == 200
        assert client.stats().dropped == {"queue_full": 800}


def test_masking_replaces_content(server: StillhouseServer, make_client: ClientMaker) -> None:
    def mask(content: Any) -> Any:
        return json.loads(json.dumps(content).replace("secret", "***"))

    client = make_client(mask=mask)

    client.log(
        request={"text": "secret"},
        response={"text": "a secret"},
        prompt={"name": "p", "variables": {"v": "secret"}},
        error={"type": "E", "message": "secret"},
        tags={"route": "r"},
    )

    assert client.flush(60)
    assert b"secret" not in server.seen[0].raw
    assert server.events[0]["request"] == {"text": "***"}
    assert server.events[0]["tags"] == {"route": "r"}


def broken_mask(content: object) -> object:
    raise KeyError(content)


def forgetful_mask(content: object) -> object:
    return None


@pytest.mark.parametrize("mask", [broken_mask, forgetful_mask])
def test_a_failing_mask_withholds_content_and_keeps_facts(
    server: StillhouseServer, make_client: ClientMaker, mask: Any
) -> None:
    client = make_client(mask=mask)

    client.log(
        request={"text": "secret"},
        response=b'{"text":"secret"}',
        prompt={"name": "p", "variables": {"v": "secret"}},
        error={"type": "E", "message": "secret"},
        model="small",
    )

    assert client.flush(60)
    assert b"secret" not in server.seen[0].raw
    event = server.events[0]
    assert event["request"]["$stillhouse"] == "withheld"
    assert event["response"]["$stillhouse"] == "withheld"
    assert (event["model"], event["prompt"]["name"]) == ("small", "p")


def test_payloads_never_reach_the_host_log(
    server: StillhouseServer, make_client: ClientMaker, caplog: pytest.LogCaptureFixture
) -> None:
    client = make_client(mask=broken_mask)
    server.failures = [Answer(400, {})]

    client.log(request={"text": "secret", "odd": object()})

    assert client.flush(60)
    assert caplog.records
    assert all("secret" not in str(vars(record)) for record in caplog.records)


def test_sampling_keeps_about_its_share(server: StillhouseServer, make_client: ClientMaker) -> None:
    client = make_client(sample_rate=0.2)

    kept = [client.log(request=HELLO) for _ in range(2000)]

    assert client.flush(60)
    assert len(server.stored) == len([event_id for event_id in kept if event_id])
    assert 250 < len(server.stored) < 550
    assert client.stats().sampled_out == 2000 - len(server.stored)


def test_without_a_key_nothing_is_logged(
    server: StillhouseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STILLHOUSE_API_KEY", raising=False)
    client = Client(url=server.url)

    assert client.log(request=HELLO) is None
    assert client.flush(1)
    assert server.seen == []


def test_key_and_url_come_from_the_environment(
    server: StillhouseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STILLHOUSE_API_KEY", KEY)
    monkeypatch.setenv("STILLHOUSE_URL", server.url + "/prefix/")

    with Client() as client:
        client.log(request=HELLO)

    assert server.seen[0].path == "/prefix/api/v1/ingest"
    assert server.seen[0].headers["authorization"] == f"Bearer {KEY}"


def test_after_close_calls_are_dropped_and_counted(
    server: StillhouseServer, client: Client
) -> None:
    client.log(request=HELLO)

    assert client.close(60)

    assert client.log(request=HELLO) is None
    assert client.stats().dropped == {"closed": 1}
    assert len(server.stored) == 1


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"url": "stillhouse.example.com"}, "https://"),
        ({"api_key": "sh_a\nb"}, "copy it once more"),
        ({"sample_rate": 20}, "from 0 to 1"),
    ],
)
def test_a_setting_that_cannot_be_used_says_how_to_write_it(
    settings: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        Client(**{"api_key": KEY, **settings})


def test_threads_can_log_at_once(server: StillhouseServer, client: Client) -> None:
    threads = [
        threading.Thread(target=lambda: [client.log(request=HELLO) for _ in range(200)])
        for _ in range(8)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert client.flush(60)
    assert len(server.stored) == 1600
    assert client.stats().sent == 1600
    assert client.stats().queued == client.stats().queued_bytes == 0
