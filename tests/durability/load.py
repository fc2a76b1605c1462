"""The load: batches of events of all sizes and manners, from one seed.

Most are good calls; some hold what parsers stumble over, some must be rejected, some are refused
by Postgres (`place` adds a constraint against this release), some repeat what was sent before.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import string
from collections import deque
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import zstandard

from tests.durability.records import Expected, Sent
from workbench.core.ids import uuid7

POISON = "poison"
MOST_EVENTS = 200
REQUESTS, SPANS, SCORES = "requests_log_body", "requests_log_span", "requests_log_score"
REMEMBERED = 200
ODD = (
    b'{"nul": "\\u0000", "lone": "\\ud800 \\udfff"}',
    b'{"a": 1, "a": 2, "A": 1e2, "minus": -0.0}',
    b'{"big": 123456789012345678901234567890, "huge": 1e999}',
    b'{"nan": NaN, "inf": -Infinity}',
    b'{ "spaces" :\t[ 1 ,\r\n 2 ] }',
    '{"text": "Grüß dich \N{GRINNING FACE} \u202e\ufffd"}'.encode(),
)
ODD_ANSWERS = (*ODD, b'"text"', b"[1, [2, [3]]]", b"17", b"true")

SPOILT = (
    (b"", b"no-uuid"),  # instead of the id
    (b'"operation":"chat"', b'"operation":"sing"'),
    (b'"request":{"model": "gpt-test"}', b'"request":[]'),
    (b'{"model": "gpt-test"}', b'{"deep": ' + b"[" * 200 + b"]" * 200 + b"}"),
)


@dataclass(frozen=True)
class Event:
    """One event's JSON, and what is expected of it."""

    raw: bytes
    expected: Expected


@dataclass(frozen=True)
class Batch:
    """One HTTP request's worth of events."""

    name: str
    events: tuple[Event, ...]
    dropped: int
    body: bytes
    content_type: str
    content_encoding: str

    def note(self) -> Sent:
        return Sent(self.name, tuple(event.expected for event in self.events), self.dropped)

    def headers(self) -> dict[str, str]:
        encoding = {"Content-Encoding": self.content_encoding} if self.content_encoding else {}
        return {"Content-Type": self.content_type, **encoding}


class Load:
    """One client's endless stream of batches."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)
        self._name = seed
        self._made = 0
        self._stored: deque[Event] = deque(maxlen=REMEMBERED)

    def next_batch(self) -> Batch:
        chosen = self._random
        self._made += 1
        size = min(MOST_EVENTS, int(chosen.lognormvariate(2.5, 1.2)) + 1)
        events = [self._event() for _ in range(size)]
        if chosen.random() < 0.1:
            events.append(chosen.choice(events))
        if self._stored and chosen.random() < 0.1:
            again = [chosen.choice(self._stored) for _ in range(chosen.randint(1, 10))]
            events += [self._changed(one) if chosen.random() < 0.3 else one for one in again]
        return self._packed(events[:MOST_EVENTS])

    def remember(self, batch: Batch) -> None:
        """These are stored: they may be sent again, also with other contents."""
        self._stored += (one for one in batch.events if one.expected.fate == "stored")

    def _event(self) -> Event:
        draw = self._random.random()
        if draw < 0.02:
            return self._rejected()
        if draw > 0.8:
            return self._span() if draw < 0.9 else self._score()
        release = POISON if draw < 0.025 else "1.0"
        fate = "quarantined" if release == POISON else "stored"
        identifier = str(uuid7())
        request, response = self._bodies()
        raw = _event_json(identifier, request, response, release=release)
        digests = digest(request), None if response is None else digest(response)
        return Event(raw, Expected(identifier, fate, REQUESTS, digests))

    def _bodies(self) -> tuple[bytes, bytes | None]:
        chosen = self._random
        if chosen.random() < 0.1:
            return chosen.choice(ODD), chosen.choice(ODD_ANSWERS)
        request = json.dumps({"model": "gpt-test", "messages": self._text()}).encode()
        draw = chosen.random()
        if draw < 0.1:
            return request, None
        return request, json.dumps({"choices": self._text()}).encode()

    def _text(self) -> str:
        """Some hundred letters as a rule, seldom a hundred thousand."""
        length = min(100_000, int(self._random.lognormvariate(5.5, 1.5)))
        seen = "".join(self._random.choices(string.ascii_letters + " ", k=min(length, 400)))
        return seen * (length // 400 + 1)

    def _rejected(self) -> Event:
        identifier = str(uuid7())
        good = _event_json(identifier, b'{"model": "gpt-test"}', None)
        old, new = self._random.choice(SPOILT)
        spoilt = good.replace(old or identifier.encode(), new, 1)
        return Event(spoilt, Expected(identifier, "rejected", REQUESTS, ()))

    def _span(self) -> Event:
        identifier, documents = str(uuid7()), (*self._bodies(), b'{"a.b": [1, 2.50]}')
        names = ("input", "output", "attributes")
        given = [
            b'"%s":%s' % (name.encode(), document)
            for name, document in zip(names, documents, strict=True)
            if document is not None
        ]
        trace = f'"trace":{{"trace_id":"{uuid7().hex}","span_id":"{uuid7().hex[:16]}"}},'
        raw = _head(identifier, "span", f'"name":"search","kind":"tool",{trace}') + b",".join(given)
        digests = tuple(None if one is None else digest(one) for one in documents)
        return Event(raw + b"}", Expected(identifier, "stored", SPANS, digests))

    def _score(self) -> Event:
        """A judgement of a trace that may never come."""
        identifier = str(uuid7())
        values: list[float | bool | str] = [True, 0.25, -3, "very good"]
        value = self._random.choice(values)
        facts = f'"name":"helpful","trace_id":"{uuid7().hex}","value":{json.dumps(value)}'
        raw = _head(identifier, "score", facts) + b"}"
        return Event(raw, Expected(identifier, "stored", SCORES, (value_digest(value),)))

    def _changed(self, event: Event) -> Event:
        """The same id with another content: the first one must stand."""
        if event.expected.table != REQUESTS:
            return event  # a request may have the id of a span
        raw = _event_json(event.expected.id, b'{"another": "content"}', b"{}")
        return Event(raw, replace(event.expected, fate="stored"))

    def _packed(self, events: list[Event]) -> Batch:
        chosen = self._random
        dropped = chosen.randint(1, 9) if chosen.random() < 0.05 else 0
        lines = b"\n".join(one.raw for one in events)
        if chosen.random() < 0.3 and not dropped and lines.count(b"\n") < len(events):
            content_type, body = "application/x-ndjson", lines
        else:
            content_type = "application/json"
            counts = json.dumps({"torture": dropped} if dropped else {}).encode()
            listed = b",".join(one.raw for one in events)
            body = b'{"events":[' + listed + b'],"dropped":' + counts + b"}"
        encoding = chosen.choice(["", "gzip", "zstd"])
        name = f"{self._name}/{self._made}"
        packed = _packed(body, encoding)
        return Batch(name, tuple(events), dropped, packed, content_type, encoding)


def digest(raw: bytes) -> str:
    """The SHA-256 the checker compares exact bytes by."""
    return hashlib.sha256(raw).hexdigest()


def value_digest(value: float | bool | str) -> str:
    """The same for a score's value, which has columns by its type."""
    if isinstance(value, str):
        return digest(f"text None {value}".encode())
    kind = "boolean" if isinstance(value, bool) else "number"
    return digest(f"{kind} {float(value)} None".encode())


def _packed(body: bytes, encoding: str) -> bytes:
    if encoding == "gzip":
        return gzip.compress(body, compresslevel=1)
    return zstandard.compress(body, 1) if encoding == "zstd" else body


def _event_json(
    identifier: str, request: bytes, response: bytes | None, *, release: str = "1.0"
) -> bytes:
    answer = b"" if response is None else b',"response":' + response
    facts = f'"operation":"chat","release":"{release}","tags":{{"route":"torture"}},"request":'
    return _head(identifier, "request", facts) + request + answer + b"}"


def _head(identifier: str, kind: str, facts: str) -> bytes:
    """The event up to its documents."""
    started_at = datetime.now(UTC).isoformat()
    return f'{{"id":"{identifier}","type":"{kind}","started_at":"{started_at}",{facts}'.encode()
