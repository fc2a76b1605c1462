"""Delivers batches of encoded events, waiting out what passes."""

from __future__ import annotations

import gzip
import json
import logging
import random
import time
from typing import Any, Callable, Sequence

from stillhouse._http import Connection, Reply, Unreachable, retry_after
from stillhouse._tally import Tally

BACKOFF_BASE_S, BACKOFF_CAP_S = 0.5, 30.0
MAX_SERVER_ERRORS = 8  # in a row for one batch: then it is the batch that is bad, not the server
WAITED_OUT = {408, 429, 503}  # the server says "later", so the batch waits as long as it takes

logger = logging.getLogger("stillhouse")


class Pace:
    """How much hurry there is: shared by those who wait and the thread that sends."""

    abandoned = False  # the client was closed: stop trying

    def __init__(self, hurried: Callable[[], bool], wait: Callable[[float], object]) -> None:
        self.hurried = hurried  # somebody waits in flush()
        self.wait = wait  # until something changed, or for so many seconds


class Sender:
    """Sends to one server from one thread."""

    def __init__(self, connection: Connection, tally: Tally, pace: Pace) -> None:
        self._connection = connection
        self._tally = tally
        self._pace = pace
        self._failing = False

    def send(self, events: Sequence[bytes]) -> bool:
        """Deliver a batch. True when the server has answered for it, also by refusing it.

        False, with nothing counted, when the client was closed before there was an answer.
        """
        if not events:
            return True
        reported = self._tally.unreported()
        dropped = json.dumps(reported, separators=(",", ":")).encode()
        body = b'{"events":[' + b",".join(events) + b'],"dropped":' + dropped + b"}"
        return self._deliver(gzip.compress(body, compresslevel=5), len(events), reported)

    def close(self) -> None:
        self._connection.close()

    def interrupt(self) -> None:
        """From another thread, once the pace is abandoned: stop waiting for an answer."""
        self._connection.interrupt()

    def after_fork(self) -> None:
        self._connection.forget()
        self._failing = False

    def _deliver(self, packed: bytes, count: int, reported: Any) -> bool:
        attempt = server_errors = 0
        while not self._pace.abandoned:
            reply = self._post(packed)
            if reply is not None and self._is_answer(reply):
                self._tally.reported(reported)
                self._read_results(reply, count)
                return True
            if reply is not None and not self._may_retry(reply.status):
                self._refused(reply, count)
                return True
            server_errors += reply is not None and reply.status not in WAITED_OUT
            if server_errors >= MAX_SERVER_ERRORS:
                status = reply and reply.status
                self._tally.give_up(count, "server_error", "The server kept failing.", status)
                return True
            self._note_failing()
            self._tally.add("retries")
            self._back_off(attempt, reply)
            attempt += 1
        return False

    def _post(self, packed: bytes) -> Reply | None:
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        try:
            return self._connection.request("POST", "/api/v1/ingest", body=packed, headers=headers)
        except Unreachable:
            return None

    def _is_answer(self, reply: Reply) -> bool:
        return reply.status == 200 and isinstance(_json(reply.body), dict)

    def _may_retry(self, status: int) -> bool:
        # A 2xx that is not ours (a captive portal, a wrong path) proves nothing was stored.
        return status in WAITED_OUT or status >= 500 or 200 <= status < 300

    def _read_results(self, reply: Reply, count: int) -> None:
        answer = _json(reply.body) or {}
        rejected = int(answer.get("rejected") or 0)
        self._tally.add("sent", count - rejected)
        self._tally.add("duplicates", int(answer.get("duplicates") or 0))
        self._failing = False
        if rejected:
            results = [r for r in answer.get("results") or () if r.get("status") == "rejected"]
            why = str(results[0].get("reason")) if results else "no reason given"
            sentence = f"The server rejected calls: {why}"
            self._tally.give_up(rejected, "rejected", sentence, reply.status)

    def _refused(self, reply: Reply, count: int) -> None:
        error = (_json(reply.body) or {}).get("error")
        sentence = error.get("message") if isinstance(error, dict) else None
        message = f"The server refused a batch with HTTP {reply.status}. {sentence or ''}".strip()
        self._tally.give_up(count, f"refused_{reply.status}", message, reply.status)

    def _note_failing(self) -> None:
        if not self._failing:
            self._failing = True
            logger.warning("The Stillhouse server does not take calls now; they wait.")

    def _back_off(self, attempt: int, reply: Reply | None) -> None:
        """Full jitter (uniform over a doubling window); shorter while someone waits in `flush`."""
        asked = retry_after(reply) if reply is not None else None
        window = min(BACKOFF_CAP_S, BACKOFF_BASE_S * 2 ** min(attempt, 10))
        until = time.monotonic() + (random.uniform(0, window) if asked is None else asked)  # noqa: S311
        while not self._pace.abandoned:
            remaining = until - time.monotonic()
            if asked is None and self._pace.hurried():
                time.sleep(max(0.0, min(remaining, 0.2)))
                return
            if remaining <= 0:
                return
            self._pace.wait(remaining)


def _json(body: bytes) -> dict[str, Any] | None:
    try:
        parsed = json.loads(body)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None
