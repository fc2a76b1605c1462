"""A log of any number of calls, written by COPY in the product's own encoding.

The calls are made of a few thousand conversations of words drawn by Zipf's law, one in eight in
Chinese, logged again and again over eight weeks, with some texts planted in some of them.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from typing import Any
from uuid import UUID

CONVERSATIONS = 3_000
WORDS_EACH = 160
VOCABULARY = 20_000
CHUNK = 2_048
"""Calls of one transaction, and of one segment of the text index."""
SPAN = timedelta(weeks=8)
BULK_SHARE = 4
"""One call in so many is of the environment that bulk actions choose."""
RARE, SUBSTRING, COMMON, CHINESE = "zanzibarquake", "ndfathercl", "refund", "退款流程"
RARE_EVERY = 100_000
MODELS = ("gpt-4.1", "gpt-4.1-mini", "gpt-4o", "gpt-4o-mini", "claude-sonnet", "llama-70b")
PROMPTS = tuple(f"prompt-{number}" for number in range(12))
ROUTES = tuple(f"route-{number}" for number in range(10))
SOURCES = ("sdk", "gateway", "otlp", "import")
THUMB, GRADE = "helpful", "quality"
THUMB_EVERY, GRADE_EVERY = 20, 10
"""One call in so many has a thumb of its end user, and a judge's grade from 0 to 1."""


@dataclass(frozen=True)
class Conversation:
    """What is the same in all its calls: the bodies, and what the digest makes of them."""

    request: bytes
    response: bytes
    digest: list[Any]
    text: str


@dataclass(frozen=True)
class Part:
    """Some of the calls: `first` up to `last`, of `total`."""

    project_id: int
    first: int
    last: int
    total: int
    until: datetime


def conversations(chooser: random.Random) -> list[Conversation]:
    """The conversations; every tenth holds the common text, every 200th the substring."""
    words = _vocabulary(chooser)
    weights = [1 / (rank + 2) for rank in range(len(words))]
    made = []
    for number in range(CONVERSATIONS):
        if number % 8 == 0:
            said = "".join(chr(0x4E00 + int(chooser.expovariate(0.004))) for _ in range(300))
        else:
            said = " ".join(chooser.choices(words, weights, k=WORDS_EACH))
        planted = [COMMON] * (number % 10 == 3) + [f"gra{SUBSTRING}ock"] * (number % 200 == 5)
        planted += [CHINESE] * (number % 160 == 8)
        made.append(_conversation(f"{said} {' '.join(planted)}", chooser))
    return [*made, _conversation(f"{RARE} {made[1].text}", chooser)]


def _vocabulary(chooser: random.Random) -> list[str]:
    syllables = [a + b for a in "bcdfghjklmnprstvwz" for b in "aeiou"]
    return ["".join(chooser.choices(syllables, k=chooser.randint(1, 4))) for _ in range(VOCABULARY)]


def _conversation(said: str, chooser: random.Random) -> Conversation:
    from requests_log.digest.derive import Source, derive
    from requests_log.digest.rows import values_of

    half = len(said) // 2
    system = {"role": "system", "content": "Answer the customer briefly and politely."}
    asked = {"model": "m", "messages": [system, {"role": "user", "content": said[:half]}]}
    message = {"role": "assistant", "content": f"{said[half:]} ({_case(0).decode()})"}
    usage = {"prompt_tokens": chooser.randint(50, 900), "completion_tokens": 80}
    answer = {"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}
    request, response = (json.dumps(one, ensure_ascii=False).encode() for one in (asked, answer))
    found = derive(Source("chat", "openai", "gpt-4o-mini", request, response, None))
    return Conversation(request, response, values_of(found), found.search)


def fill(project_id: int, calls: int, *, workers: int = 2) -> float:
    """Write the log; returns the seconds it took. Progress goes to the screen."""
    begun, until, done = time.monotonic(), datetime.now(UTC), 0
    parts = [
        Part(project_id, first, min(first + CHUNK, calls), calls, until)
        for first in range(0, calls, CHUNK)
    ]
    context = get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_prepare) as pool:
        for number, future in enumerate(as_completed(pool.submit(_write, p) for p in parts)):
            done += future.result()
            if number % 50 == 49 or done == calls:
                _tell(done, calls, time.monotonic() - begun)
    return time.monotonic() - begun


def _tell(done: int, calls: int, seconds: float) -> None:
    left = seconds / done * (calls - done)
    print(f"  {done:,} of {calls:,} calls, {seconds:.0f} s, {left:.0f} s left", file=sys.stderr)


_conversations: list[Conversation] = []


def _prepare() -> None:
    import django

    django.setup()
    from requests_log.digest import prices

    prices.load()
    _conversations[:] = conversations(random.Random(7))


def _write(part: Part) -> int:
    from django.db import connection, transaction

    from requests_log import encoding
    from requests_log.textindex.sealing import insert_segment

    chooser = random.Random(part.first)
    calls = list(_calls(part, chooser))
    rows = [encoding.encode(call) for call, _ in calls]
    texts = [(call.id, conversation.text) for call, conversation in calls]
    with transaction.atomic(), connection.cursor() as cursor:
        for table in encoding.TABLES[:-1]:  # not the outbox: the digests are written here
            with cursor.copy(table.statement) as copying:
                copying.write(table.block(rows))
        _write_digests(cursor, part.project_id, calls)
        insert_segment(part.project_id, texts)
        _write_scores(cursor, part, [call.id for call, _ in calls])
    return len(calls)


def _write_digests(cursor: Any, project_id: int, calls: Sequence[tuple[Any, Conversation]]) -> None:
    from requests_log.digest.rows import copy_into

    copy_into(cursor, [[project_id, call.id, *conversation.digest] for call, conversation in calls])


def _write_scores(cursor: Any, part: Part, ids: Sequence[UUID]) -> None:
    """A tenth of the thumbs are down."""
    chooser = random.Random(part.first + 1)
    thumbs = [(id_, THUMB, "boolean", float(chooser.random() > 0.1)) for id_ in ids[::THUMB_EVERY]]
    grades = [(id_, GRADE, "number", chooser.random()) for id_ in ids[::GRADE_EVERY]]
    columns = "project_id, id, at, request_id, name, data_type, origin, number"
    with cursor.copy(f"COPY requests_log_score ({columns}) FROM STDIN") as copying:
        for request_id, name, kind, number in (*thumbs, *grades):
            id_ = UUID(int=chooser.getrandbits(128))
            origin = "end_user" if name == THUMB else "judge"
            row = (part.project_id, id_, part.until, request_id, name, kind, origin, number)
            copying.write_row(row)


def _calls(part: Part, chooser: random.Random) -> Iterator[tuple[Any, Conversation]]:
    from requests_log.calls import Call

    step = SPAN / part.total
    for number in range(part.first, part.last):
        at = part.until - SPAN + step * number
        conversation = _conversations[-1 if number % RARE_EVERY == 777 else _pick(chooser)]
        failed = chooser.random() < 0.04
        yield (
            Call(
                project_id=part.project_id,
                id=_id(at, number, chooser),
                started_at=at,
                request=conversation.request,
                response=conversation.response.replace(_case(0), _case(number)),
                status="error" if failed else "ok",
                error_type="rate_limit_exceeded" if failed else None,
                http_status=429 if failed else 200,
                duration_ms=chooser.expovariate(0.001),
                provider="openai",
                model=chooser.choices(MODELS, (30, 20, 20, 15, 10, 5))[0],
                prompt_name=chooser.choice(PROMPTS),
                prompt_version=chooser.randint(1, 4),
                tags={"route": chooser.choice(ROUTES), "tier": chooser.choice(("gold", "free"))},
                end_user=f"user-{chooser.randrange(5_000)}",
                session=f"session-{number // 6}",
                environment="bulk" if number % BULK_SHARE == 0 else "production",
                source=chooser.choices(SOURCES, (6, 3, 1, 1))[0],
            ),
            conversation,
        )


def _case(number: int) -> bytes:
    """Stands in every answer: no two calls make the same example."""
    return f"case {number:09}".encode()


def _pick(chooser: random.Random) -> int:
    return chooser.randrange(CONVERSATIONS)


def _id(at: datetime, number: int, chooser: random.Random) -> UUID:
    """An id of its moment that no other call has."""
    from workbench.core.ids import floor_of

    return UUID(int=floor_of(at).int | (chooser.getrandbits(30) << 32) | number & 0xFFFFFFFF)
