"""What happens when there is no room, and no database."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]

from requests_log.otlp import asgi
from tests.otlp.conftest import PROTOBUF, Exporter
from tests.otlp.spans import as_json, as_protobuf, make_span
from tests.requests_log.server import server_in_thread
from workbench.core.hotpool import conninfo


def test_without_room_the_answer_is_503_with_retry_after(exporter: Exporter, settings: Any) -> None:
    settings.INGEST_WAITING_BYTES = 16
    with server_in_thread() as url:
        small = Exporter(url, exporter.project, exporter.key)

        answer = small.post(as_protobuf(make_span()))
        in_json = small.post(as_json(make_span()), kind="application/json")

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert answer.headers["content-type"] == PROTOBUF
    assert Status.FromString(answer.content).code == 14
    assert in_json.json()["code"] == 14
    assert exporter.spans() == []


def test_two_senders_of_the_same_span_store_it_once(exporter: Exporter) -> None:
    span = make_span()
    statuses: list[int] = []

    def send() -> None:
        statuses.append(exporter.post(as_protobuf(span)).status_code)

    with psycopg.connect(conninfo()) as one:
        one.execute("LOCK TABLE requests_log_span IN SHARE ROW EXCLUSIVE MODE")
        senders = [threading.Thread(target=send) for _ in range(4)]
        for sender in senders:
            sender.start()
        one.rollback()
    for sender in senders:
        sender.join(120)

    assert statuses == [200] * 4
    assert len(exporter.spans()) == len(exporter.raw()) == 1


def test_a_path_below_ours_is_not_the_gateways(exporter: Exporter) -> None:
    assert all(path.endswith("/v1/traces") for path in asgi.PATHS)

    answer = exporter.post(b"{}", path="/v1/traces/more", kind="application/json")

    assert answer.json()["code"] == 5
