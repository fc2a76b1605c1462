"""The writer's clients: over HTTP to ingest, through the gateway, and with the SDK.

Each notes what it sends, what was acknowledged, and what it cannot know. They start when told and
stop when `stopping` is set; then they send once more what they do not know, until it is answered.
"""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import stillhouse
from tests.durability.load import REQUESTS, Batch, Load, digest
from tests.durability.records import Acked, Expected, Notes, Sent

ANSWER_SECONDS = 4.0
LAST_WORDS_SECONDS = 120.0
PAUSE_SECONDS = 0.2
"""The longest pause between two batches: the kills are to hit work, not a backlog."""
GIVEN_UP = 0.2
"""Share of unknown batches that are never sent again, as if their client had died."""
COMMITTED_SECONDS = 0.09
"""The gateway ends an answer at the commit or after 0.1 s: one that came sooner is committed."""
GATEWAY_ROW = "gateway:"
"""The gateway makes its own ids, so its calls are known by the hash of their request."""
TROUBLE = (OSError, http.client.HTTPException)


@dataclass(frozen=True)
class Target:
    """Where to send, and with which key."""

    url: str
    key: str


@dataclass(frozen=True)
class Answer:
    """An HTTP answer that came to its end."""

    status: int
    body: bytes


class Line:
    """One kept connection that is opened again after trouble."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._connection: http.client.HTTPConnection | None = None

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        """Raises OSError or HTTPException: what became of it is unknown."""
        if self._connection is None:
            address = urlsplit(self._target.url).netloc
            self._connection = http.client.HTTPConnection(address, timeout=ANSWER_SECONDS)
        authorised = {"Authorization": f"Bearer {self._target.key}", **headers}
        try:
            self._connection.request("POST", path, body, authorised)
            answer = self._connection.getresponse()
            return Answer(answer.status, answer.read())
        except TROUBLE:
            self._connection.close()
            self._connection = None
            raise


class Client(threading.Thread):
    """Sends until told to stop."""

    def __init__(self, name: str, target: Target, notes: Notes, stopping: threading.Event) -> None:
        super().__init__(name=name, daemon=True)
        self.target, self.notes, self.stopping = target, notes, stopping
        self.random = random.Random(name)

    def run(self) -> None:
        while not self.stopping.is_set():
            self.turn()
        self.last_words(time.monotonic() + LAST_WORDS_SECONDS)

    def turn(self) -> None:
        """Send something."""
        raise NotImplementedError

    def last_words(self, until: float) -> None:
        """Send again what is unknown, until the given moment."""


class IngestClient(Client):
    """Batches over HTTP; what is unknown is sent again later, with the same ids."""

    def __init__(self, name: str, target: Target, notes: Notes, stopping: threading.Event) -> None:
        super().__init__(name, target, notes, stopping)
        self._load = Load(name)
        self._line = Line(target)
        self._unknown: deque[Batch] = deque()

    def turn(self) -> None:
        if self._unknown and self.random.random() < 0.5:
            self._send_again()
            return
        time.sleep(self.random.uniform(0.0, PAUSE_SECONDS))
        batch = self._load.next_batch()
        self.notes.sent(batch.note())
        if not self._is_answered(batch) and self.random.random() >= GIVEN_UP:
            self._unknown.append(batch)

    def last_words(self, until: float) -> None:
        while self._unknown and time.monotonic() < until:
            self._send_again()

    def _send_again(self) -> None:
        batch = self._unknown.popleft()
        if not self._is_answered(batch):
            self._unknown.append(batch)

    def _is_answered(self, batch: Batch) -> bool:
        try:
            answer = self._line.post("/api/v1/ingest", batch.body, batch.headers())
        except TROUBLE as problem:
            self._note_unknown(batch, type(problem).__name__)
            return False
        if answer.status != 200:
            self._note_unknown(batch, f"HTTP {answer.status}")
            return False
        self.notes.acked(_verdicts(batch.name, json.loads(answer.body)))
        self._load.remember(batch)
        return True

    def _note_unknown(self, batch: Batch, reason: str) -> None:
        self.notes.unknown(batch.name, reason)
        time.sleep(self.random.uniform(0.0, 0.2))


def _verdicts(batch: str, document: dict[str, Any]) -> Acked:
    verdicts = tuple(one["status"] for one in document["results"])
    counts = document["accepted"], document["duplicates"], document["rejected"]
    return Acked(batch, verdicts, counts, time.monotonic())


class GatewayClient(Client):
    """Chat calls to a model; a call that failed is not repeated, the next one is another."""

    def __init__(self, name: str, target: Target, notes: Notes, stopping: threading.Event) -> None:
        super().__init__(name, target, notes, stopping)
        self._line = Line(target)
        self._sent = 0

    def turn(self) -> None:
        self._sent += 1
        name, asked = f"{self.name}/{self._sent}", self.random.randbytes(200).hex()
        content = [{"role": "user", "content": asked}]
        body = json.dumps({"model": "fake/gpt-test", "messages": content}).encode()
        digests = digest(body), digest(upstream_answer(asked))
        row = Expected(GATEWAY_ROW + digests[0], "stored", REQUESTS, digests)
        self.notes.sent(Sent(name, (row,)))
        self._send(name, body, asked)
        time.sleep(self.random.uniform(0.0, 0.05))

    def _send(self, name: str, body: bytes, asked: str) -> None:
        begun = time.monotonic()
        try:
            headers = {"Content-Type": "application/json"}
            answer = self._line.post("/v1/chat/completions", body, headers)
        except TROUBLE as problem:
            self.notes.unknown(name, type(problem).__name__)
            return
        if answer.status != 200 or answer.body != upstream_answer(asked):
            self.notes.unknown(name, f"gateway: HTTP {answer.status}")
            return
        now = time.monotonic()
        is_sure = now - begun < COMMITTED_SECONDS
        self.notes.acked(Acked(name, ("stored",), (1, 0, 0), now, is_sure))


def upstream_answer(asked: str) -> bytes:
    """What the provider behind the gateway answers to this question."""
    message = {"role": "assistant", "content": asked[:50]}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return json.dumps({"id": "1", "object": "chat.completion", "choices": [choice]}).encode()


class SdkClient(Client):
    """Calls logged with the SDK; a flush that lost nothing acknowledges what was queued."""

    def __init__(self, name: str, target: Target, notes: Notes, stopping: threading.Event) -> None:
        super().__init__(name, target, notes, stopping)
        self._sdk = stillhouse.Client(target.key, target.url, timeout=ANSWER_SECONDS)
        self._rounds = 0
        self._unsettled: list[tuple[str, int]] = []
        self._dropped = 0

    def turn(self) -> None:
        self._rounds += 1
        rows = [row for _ in range(self.random.randint(1, 30)) if (row := self._log())]
        name = f"{self.name}/{self._rounds}"
        self.notes.sent(Sent(name, tuple(rows)))
        self._unsettled.append((name, len(rows)))
        self._settle(2.0)

    def last_words(self, until: float) -> None:
        while self._unsettled and time.monotonic() < until:
            self._settle(5.0)
        self._sdk.close()

    def _log(self) -> Expected | None:
        request = {"model": "gpt-test", "text": self.random.randbytes(100).hex()}
        response = self.random.randbytes(self.random.randint(1, 2000)).hex()
        raw = json.dumps(request, separators=(",", ":")).encode(), json.dumps(response).encode()
        identifier = self._sdk.log(request=request, response=raw[1])
        digests = digest(raw[0]), digest(raw[1])
        return Expected(identifier, "stored", REQUESTS, digests) if identifier else None

    def _settle(self, seconds: float) -> None:
        is_empty = self._sdk.flush(seconds)
        dropped = sum(self._sdk.stats().dropped.values())
        if not is_empty:
            return
        for name, count in self._unsettled:
            if dropped == self._dropped:
                verdicts = ("stored",) * count
                self.notes.acked(Acked(name, verdicts, (count, 0, 0), time.monotonic()))
            else:
                self.notes.unknown(name, "the SDK gave calls up")
        self._dropped = dropped
        self._unsettled.clear()
