"""Appending items to the log: one transaction of COPYs, answered after its commit.

A few items of one kind go by a single INSERT instead, which is one round trip, where COPYs take
two for each table and two more for the transaction.

A batch that holds ids stored before, or a row Postgres refuses, is sorted out here: every item
gets its own outcome, one bad item never costs the others, and nothing vanishes.
"""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeVar

from psycopg import AsyncConnection, AsyncRawCursor, errors

from requests_log import encoding, trace_rows, wire_rows
from requests_log.calls import Call, Item, Key, Outcome, Score, Span, Verdict
from workbench.core.faults import fault

logger = logging.getLogger(__name__)

Connection = AsyncConnection[Any]
T = TypeVar("T")
MAX_ROUNDS = 8
WORTH_A_THREAD = 64 << 10
"""Bytes of items that are compressed and hashed beside the event loop, which may serve others."""
FEW = 16
"""Items for which one INSERT costs less than COPYs (measured: 0.4 of it at 1, 0.8 at 16)."""
ALREADY_STORED = "This id was stored before."
ALREADY_STORED_DIFFERENTLY = "This id was stored before with different content; the first stands."
QUARANTINED = "The database refused this event; it is kept in quarantine."

FORGET_DISCARDED = """
DELETE FROM requests_log_quarantine
WHERE project_id = %s AND id = %s AND kind = %s AND discarded_at IS NOT NULL
"""
# What was kept first stands; why it is refused may have changed since.
QUARANTINE = """
INSERT INTO requests_log_quarantine
    (project_id, id, kind, sqlstate, error, facts, request, response, variables)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (project_id, id, kind) DO UPDATE SET
    sqlstate = excluded.sqlstate, error = excluded.error
"""

Identity = tuple[int, Key]
"""What an item is told apart by: the place of its kind in KINDS, its project and its id."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How items of one class are stored, and how two of the same id are compared.

    `find` selects project, id and what `content` gives for an item, from the ids asked for.
    """

    name: str
    encode: Callable[[Any], Any]
    tables: tuple[encoding.Table[Any], ...]
    find: str
    content: Callable[[Any], tuple[Any, ...]]
    documents: Callable[[Any], tuple[bytes | None, ...]]


_ASKED = (
    "FROM unnest(%s::bigint[], %s::uuid[]) AS asked (project_id, id) JOIN {table} t "
    "ON t.project_id = asked.project_id AND t.id = asked.id"
)


def _finding(columns: str, table: str) -> str:
    return f"SELECT t.project_id, t.id, {columns} {_ASKED.format(table=table)}"


KINDS: dict[type[Item], Kind] = {
    Call: Kind(
        "request",
        encoding.encode,
        encoding.TABLES,
        _finding("t.request_sha256, t.response_sha256", "requests_log_body"),
        encoding.digests_of,
        lambda call: (call.request, call.response, call.variables),
    ),
    Span: Kind(
        "span",
        trace_rows.encode_span,
        (trace_rows.SPAN_TABLE,),
        _finding("t.sha256", "requests_log_span"),
        lambda span: (trace_rows.digest_of_span(span),),
        lambda span: (span.input, span.output, span.attributes),
    ),
    Score: Kind(
        "score",
        trace_rows.encode_score,
        (trace_rows.SCORE_TABLE,),
        _finding("t.data_type, t.number, t.label", "requests_log_score"),
        trace_rows.value_of_score,
        lambda score: (None, None, None),
    ),
}
_PLACES = {kind: place for place, kind in enumerate(KINDS)}


def identity(item: Item) -> Identity:
    """What tells items apart; also the order in which they are stored."""
    return _PLACES[type(item)], item.key


# Errors of one row, which another row of the batch must not suffer from.
ROW_ERRORS = (
    errors.DataError,
    errors.IntegrityError,
    errors.ProgramLimitExceeded,
    errors.StatementTooComplex,
    struct.error,
    OverflowError,
    TypeError,
    ValueError,  # UnicodeError among them
)
RETRYABLE = (errors.UniqueViolation, errors.DeadlockDetected, errors.SerializationFailure)


async def append(connection: Connection, items: Sequence[Item]) -> list[Outcome]:
    """Store items and return what became of each, in order; committed when this returns.

    Raises:
        psycopg.OperationalError: the database is away; what was committed before stays, and
            appending the same items again is safe.
    """
    identities = [identity(item) for item in items]
    first = dict(zip(reversed(identities), reversed(items), strict=True))
    ordered = [first[one] for one in sorted(first)]
    outcomes = await _append_unique(connection, ordered)
    return [one async for one in _answers(connection, items, identities, outcomes)]


async def _answers(
    connection: Connection,
    items: Sequence[Item],
    identities: Sequence[Identity],
    outcomes: dict[Identity, Outcome],
) -> AsyncIterator[Outcome]:
    """The outcome of each item; one that repeats an id within the batch is a duplicate."""
    answered: dict[Identity, Item] = {}
    for item, one in zip(items, identities, strict=True):
        outcome = outcomes[one]
        if one not in answered:
            answered[one] = item
        elif outcome.verdict is Verdict.ACCEPTED:
            content = KINDS[type(item)].content
            outcome = _duplicate(item, same=content(item) == content(answered[one]))
        elif outcome.verdict is Verdict.DUPLICATE:  # its content may differ from the first one's
            outcome = (await _find_duplicates(connection, [item])).get(one, outcome)
        yield outcome


async def _append_unique(connection: Connection, items: Sequence[Item]) -> dict[Identity, Outcome]:
    """Append items with distinct identities, sorted by them so that no two batches deadlock."""
    outcomes: dict[Identity, Outcome] = {}
    waiting = list(items)
    for _ in range(MAX_ROUNDS):
        try:
            await _write(connection, waiting)
        except RETRYABLE:
            await connection.rollback()
            duplicates = await _find_duplicates(connection, waiting)
            outcomes |= duplicates
            waiting = [item for item in waiting if identity(item) not in duplicates]
        except ROW_ERRORS as found:
            await connection.rollback()
            problem: Exception = found
            break
        else:
            accepted = Verdict.ACCEPTED
            return outcomes | {identity(item): Outcome(item.id, accepted) for item in waiting}
    else:
        raise errors.SerializationFailure("The batch kept colliding with others; send it again.")
    return outcomes | await _isolate(connection, waiting, problem)


async def _write(connection: Connection, items: Sequence[Item]) -> None:
    """Store the items, all or none; committed when this returns."""
    if not items:
        return
    fault("store: before copy")
    is_simple = len(items) <= FEW and len({type(item) for item in items}) == 1
    await (_insert if is_simple else _copy)(connection, items)
    fault("store: after commit")


async def _insert(connection: Connection, items: Sequence[Item]) -> None:
    """Items of one kind, by one statement that is its own transaction."""
    parameters = await _encoded(_parameters, items)
    statement = encoding.inserting(KINDS[type(items[0])].tables, len(items))
    fault("store: before commit")
    await connection.set_autocommit(True)
    try:
        await AsyncRawCursor(connection).execute(statement, parameters, prepare=True)
    finally:
        if not connection.closed:
            await connection.set_autocommit(False)


async def _copy(connection: Connection, items: Sequence[Item]) -> None:
    blocks = await _encoded(_blocks, items)
    async with connection.cursor() as cursor:
        for statement, block in blocks:
            async with cursor.copy(statement) as copy:
                await copy.write(block)
    fault("store: before commit")
    await connection.commit()


async def _encoded(encode: Callable[[Sequence[Item]], T], items: Sequence[Item]) -> T:
    """What `encode` makes of the items; many bytes are not compressed on the event loop."""
    if sum(item.size for item in items) > WORTH_A_THREAD:
        return await asyncio.to_thread(encode, items)
    return encode(items)


def _blocks(items: Sequence[Item]) -> list[tuple[str, bytes]]:
    """What each COPY reads, in the order of the tables."""
    blocks = []
    for kind, group in groupby(items, type):
        rows = [KINDS[kind].encode(item) for item in group]
        blocks += [(table.statement, table.block(rows)) for table in KINDS[kind].tables]
    return blocks


def _parameters(items: Sequence[Item]) -> list[wire_rows.Parameter | None]:
    """What `encoding.inserting` takes for items of one kind."""
    kind = KINDS[type(items[0])]
    rows = [kind.encode(item) for item in items]
    return [
        parameter
        for table in kind.tables
        for row in rows
        for parameter in wire_rows.parameters(table.pick(row))
    ]


async def _find_duplicates(
    connection: Connection, items: Sequence[Item]
) -> dict[Identity, Outcome]:
    """Outcomes for the items whose ids are stored already."""
    found: dict[Identity, Outcome] = {}
    for kind, group in groupby(items, type):
        asked = list(group)
        cursor = await connection.execute(
            KINDS[kind].find, [[item.project_id for item in asked], [item.id for item in asked]]
        )
        stored = {(row[0], row[1].int): tuple(row[2:]) for row in await cursor.fetchall()}
        found |= {
            identity(item): _duplicate(item, same=KINDS[kind].content(item) == stored[item.key])
            for item in asked
            if item.key in stored
        }
    await connection.commit()
    return found


def _duplicate(item: Item, *, same: bool) -> Outcome:
    reason = ALREADY_STORED if same else ALREADY_STORED_DIFFERENTLY
    return Outcome(item.id, Verdict.DUPLICATE, reason)


async def _isolate(
    connection: Connection, items: Sequence[Item], problem: Exception
) -> dict[Identity, Outcome]:
    """Find the refused items by halving; quarantine those and append the rest."""
    if len(items) == 1:
        return {identity(items[0]): await _quarantine(connection, items[0], problem)}
    middle = len(items) // 2
    outcomes = await _append_unique(connection, items[:middle])
    return outcomes | await _append_unique(connection, items[middle:])


async def _quarantine(connection: Connection, item: Item, problem: Exception) -> Outcome:
    sqlstate, sentence = _described(problem)
    kind = KINDS[type(item)]
    logger.error("%s %s went to quarantine: %s %s", kind.name, item.id, sqlstate, sentence)
    key = [item.project_id, item.id, kind.name]
    await connection.execute(FORGET_DISCARDED, key)
    await connection.execute(
        QUARANTINE,
        [*key, sqlstate, sentence, encoding.facts_of(item), *kind.documents(item)],
    )
    fault("quarantine: before commit")
    await connection.commit()
    fault("quarantine: after commit")
    return Outcome(item.id, Verdict.REJECTED, QUARANTINED)


def _described(problem: Exception) -> tuple[str, str]:
    """SQLSTATE and message, without the row's values: they are not for logs."""
    if isinstance(problem, errors.Error):
        sentence = problem.diag.message_primary or type(problem).__name__
        return problem.sqlstate or "", encoding.clean(sentence[:1000])
    return "", f"{type(problem).__name__} while the row was written out"
