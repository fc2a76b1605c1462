"""Turning logged requests into examples, read from the raw bytes that were logged."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from requests_log import bodies
from requests_log.datasets.canonical import BadRow, Message, ReadyExample, canonical_messages, ready
from requests_log.datasets.models import Dataset, Example
from requests_log.datasets.storing import Incoming, store_examples
from requests_log.digest.shapes import read_conversation
from requests_log.feedback.models import NewestCorrection
from requests_log.models import Correction, Operation, Status

RUN_BYTES = 32 << 20
RUN_ROWS = 2_000
"""Raw bytes, and how many, of the requests whose bodies are read at once."""
REASONS: Mapping[str, str] = {
    "failed": "failed or cut off",
    "not_a_conversation": "embeddings",
    "no_answer": "without an answer",
    "empty_answer": "with an empty answer",
    "no_messages": "without messages",
    "unreadable": "with a body that is not JSON",
    "damaged": "with a damaged body",
    "missing": "no longer in the log",
    "too_deep": "nested too deeply",
    "too_large": "too large",
}


def reason_in_words(reason: str) -> str:
    """Why requests are no examples, fit to follow their number."""
    return REASONS.get(reason, reason.replace("_", " "))


# By hand, because models of rows that are read by the million cost more than what is done with
# them. The range keeps other weeks' partitions untouched; the ids stand in a subquery, because
# Postgres weighs each one of a list when it plans.
_FACTS = """
SELECT id, status, operation, session, end_user, request_size::bigint + coalesce(response_size, 0)
FROM requests_log_request
WHERE project_id = %(project)s AND id = ANY(ARRAY(SELECT unnest(%(ids)s::uuid[])))
    AND id BETWEEN %(low)s AND %(high)s
"""
_BODIES = """
SELECT id, codec, request, request_sha256, response, response_sha256
FROM requests_log_body
WHERE project_id = %(project)s AND id = ANY(ARRAY(SELECT unnest(%(ids)s::uuid[])))
    AND id BETWEEN %(low)s AND %(high)s
"""


class Facts(NamedTuple):
    """What an example takes from a request's facts; `size` is that of its raw bodies in bytes."""

    id: UUID
    status: str
    operation: str
    session: str | None
    end_user: str | None
    size: int


class Body(NamedTuple):
    """A request's bodies as they are kept."""

    id: UUID
    codec: str
    request: bodies.Stored
    request_sha256: bodies.Stored
    response: bodies.Stored | None
    response_sha256: bodies.Stored | None
    variables: None = None


@dataclass(frozen=True)
class Harvested:
    """What became of selected requests; `skipped` counts the unusable ones by reason.

    `ids` are those of the examples made.
    """

    added: int = 0
    duplicates: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    ids: tuple[UUID, ...] = ()

    def plus(self, other: Harvested) -> Harvested:
        return Harvested(
            self.added + other.added,
            self.duplicates + other.duplicates,
            dict(Counter(self.skipped) + Counter(other.skipped)),
            self.ids + other.ids,
        )

    def counts(self) -> dict[str, Any]:
        return {
            "added": self.added,
            "duplicates": self.duplicates,
            "skipped": dict(self.skipped),
        }

    @property
    def sentence(self) -> str:
        """What happened, for people."""
        parts = [f"Added {self.added:,}"]
        if self.duplicates:
            parts.append(f"{self.duplicates:,} there already")
        for reason, many in sorted(self.skipped.items(), key=lambda item: -item[1]):
            parts.append(f"{many:,} skipped ({reason_in_words(reason)})")
        return ", ".join(parts) + "."


@dataclass(frozen=True, slots=True)
class Reading:
    """A request as an example, or the reason (a key of `REASONS`) why it is none.

    `correction` is the number of its newest correction, withdrawals too.
    """

    request_id: UUID
    example: ReadyExample | None
    reason: str = ""
    is_corrected: bool = False
    correction: int | None = None


class Logged(NamedTuple):
    """What the log holds of one request."""

    facts: Facts
    body: Body | None
    newest: NewestCorrection | None


def harvest_chunk(dataset: Dataset, ids: Sequence[UUID]) -> Harvested:
    """Add the requests with these ids to the dataset, in one transaction.

    While Postgres writes one run, the next, which has been read already, is made into examples.
    The thread has the transaction's connection to itself until its run is written.
    """
    outcome, left = Harvested(), len(ids)
    made: list[Reading] = []
    with transaction.atomic(), connection.cursor() as cursor, ThreadPoolExecutor(1) as beside:
        for run in _logged(dataset.project_id, ids):
            left -= len(run)
            writing = beside.submit(_harvest, cursor, dataset, made) if made else None
            made = [_reading(one, dataset.group_by) for one in run]
            if writing is not None:
                outcome = outcome.plus(writing.result())
        outcome = outcome.plus(_harvest(cursor, dataset, made))
    return outcome.plus(Harvested(skipped={"missing": left})) if left else outcome


def read_requests(
    project_id: int, ids: Sequence[UUID], *, group_by: str
) -> Iterator[list[Reading]]:
    """Those of the requests that are in the log, in the order given, in runs of bounded size.

    A corrected answer takes the place of the one that was given.
    """
    for run in _logged(project_id, ids):
        yield [_reading(one, group_by) for one in run]


def read_as_given(project_id: int, ids: Sequence[UUID]) -> Iterator[list[Reading]]:
    """As `read_requests`, with the answers that were given, corrected since or not."""
    for run in _logged(project_id, ids):
        given = (one._replace(newest=None) for one in run)
        yield [_reading(one, Dataset.GroupBy.PROMPT) for one in given]


def _logged(project_id: int, ids: Sequence[UUID]) -> Iterator[list[Logged]]:
    for run in _runs(_facts(project_id, ids)):
        found = _bodies(project_id, run)
        newest = Correction.objects.newest(project_id, [facts.id for facts in run])
        yield [Logged(facts, found.get(facts.id), newest.get(facts.id)) for facts in run]


def _reading(logged: Logged, group_by: str) -> Reading:
    facts, body, newest = logged
    if body is None:
        return Reading(facts.id, None, "missing")
    corrected = newest.answer if newest else None
    try:
        example = example_of(facts, body, group_by=group_by, corrected=corrected)
    except BadRow as bad:
        return Reading(facts.id, None, bad.code)
    number = newest.number if newest else None
    return Reading(facts.id, example, is_corrected=corrected is not None, correction=number)


def _harvest(cursor: CursorWrapper, dataset: Dataset, run: Sequence[Reading]) -> Harvested:
    """Add these requests to the dataset."""
    incoming = [
        Incoming(
            reading.example,
            _provenance(reading.is_corrected),
            reading.request_id,
            correction=reading.correction,
        )
        for reading in run
        if reading.example is not None
    ]
    skipped = Counter(reading.reason for reading in run if reading.example is None)
    made = store_examples(cursor, dataset, incoming)
    return Harvested(len(made), len(incoming) - len(made), dict(skipped), tuple(made))


def _provenance(is_corrected: bool) -> Example.Provenance:
    return Example.Provenance.HUMAN if is_corrected else Example.Provenance.PRODUCTION


def example_of(
    facts: Facts, body: Body, *, group_by: str, corrected: Message | None = None
) -> ReadyExample:
    """One request as an example: what was asked, and the answer as the last message.

    `corrected` is the answer as it should have been; it stands in for the one that was logged,
    also where the request failed or has none. Earlier answers in the conversation are context
    (weight 0): their own requests teach them.

    Raises:
        BadRow: the request failed or holds no usable conversation.
    """
    if facts.status != Status.OK and corrected is None:
        raise BadRow("failed", "The request failed or was cut off.")
    if facts.operation == Operation.EMBEDDING:
        raise BadRow("not_a_conversation", "The request asked for an embedding.")
    asked, answered = _parsed(body)
    reading = read_conversation(facts.operation, asked, answered)
    output = corrected or reading.output
    if output is None:
        raise BadRow("no_answer", "The response holds no answer.")
    messages = canonical_messages([*reading.messages, output])
    context = [_without_weight(message) for message in messages[:-1]]
    answer = {name: value for name, value in messages[-1].items() if name != "weight"}
    return ready([*context, answer], tools=reading.tools, group=_group(facts, group_by))


def _facts(project_id: int, ids: Sequence[UUID]) -> list[Facts]:
    """Facts of those that are there, in the order given."""
    by_id = {row[0]: Facts(*row) for row in _rows(_FACTS, project_id, ids)}
    return [by_id[id_] for id_ in ids if id_ in by_id]


def _runs(facts: Sequence[Facts]) -> Iterator[list[Facts]]:
    """The requests in runs whose bodies may be in memory together (but at least one)."""
    run: list[Facts] = []
    size = 0
    for row in facts:
        size += row.size
        if run and (size > RUN_BYTES or len(run) >= RUN_ROWS):
            yield run
            run, size = [], row.size
        run.append(row)
    if run:
        yield run


def _bodies(project_id: int, run: Sequence[Facts]) -> dict[UUID, Body]:
    rows = _rows(_BODIES, project_id, [facts.id for facts in run])
    return {row[0]: Body(*row) for row in rows}


def _rows(statement: str, project_id: int, ids: Sequence[UUID]) -> list[tuple[Any, ...]]:
    if not ids:
        return []
    place: dict[str, Any] = {
        "project": project_id,
        "ids": list(ids),
        "low": min(ids),
        "high": max(ids),
    }
    with connection.cursor() as cursor:
        cursor.execute(statement, place)
        return list(cursor.fetchall())


def _parsed(body: Body) -> tuple[Any, Any]:
    try:
        raw = bodies.read(body)
    except bodies.BodyDamaged as problem:
        raise BadRow("damaged", str(problem)) from problem
    return _json(raw.request), _json(raw.response or b"null")


def _json(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _json_of_python(raw)


def _json_of_python(raw: bytes) -> Any:
    """What only Python's reader takes (lone surrogates), to tell it from what is no JSON."""
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as problem:
        raise BadRow("unreadable", "The body is not JSON.") from problem


def _without_weight(message: Message) -> Message:
    kept = {name: value for name, value in message.items() if name != "weight"}
    return kept | {"weight": 0} if kept["role"] == "assistant" else kept


def _group(facts: Facts, group_by: str) -> str | None:
    """What a split keeps together; None means the prompt's text."""
    if group_by == Dataset.GroupBy.SESSION and facts.session:
        return f"session:{facts.session}"
    if group_by == Dataset.GroupBy.USER and facts.end_user:
        return f"user:{facts.end_user}"
    return None
