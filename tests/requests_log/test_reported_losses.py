"""What clients say they lost is counted, also when the database goes away over it."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import psycopg

from requests_log.models import DroppedByClient
from tests.gateway.conftest import wait_until
from tests.requests_log.conftest import Sender
from tests.requests_log.factories import make_event
from workbench.core.hotpool import conninfo

WAITING = """
SELECT pg_terminate_backend(pid) FROM pg_locks
WHERE relation = 'requests_log_dropped'::regclass AND NOT granted
"""


def test_counts_are_not_lost_with_the_connection_they_were_sent_over(sender: Sender) -> None:
    content = json.dumps({"events": [make_event()], "dropped": {"queue full": 3}}).encode()
    with ThreadPoolExecutor() as threads, psycopg.connect(conninfo()) as keeper:
        keeper.execute("LOCK TABLE requests_log_dropped")
        refused = threads.submit(sender.post, content)
        wait_until(lambda: bool(keeper.execute(WAITING).fetchall()))
        status = refused.result(120).status_code
        keeper.rollback()

    answer = sender.post(content)

    assert status == 503
    assert (answer.status_code, answer.json()["duplicates"]) == (200, 1)
    assert DroppedByClient.objects.in_project(sender.project).get().count == 3
