"""Weekly partitions of the request tables, bounded by the time inside the ids.

Names end in `_pYYYYMMDD`, the Monday (UTC) a week starts on. Each table has a DEFAULT partition
as a net for ids of weeks nobody made; `make_week` moves such rows into the week it makes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db import connection, transaction
from psycopg import sql

from workbench.core.ids import floor_of, time_of

PARENTS = (
    "requests_log_request",
    "requests_log_tags",
    "requests_log_body",
    "requests_log_digest",
    "requests_log_span",
    "requests_log_otlp_span",
)
WEEK = timedelta(days=7)
WEEKS_BACK = 8
WEEKS_AHEAD = 6
LOCK_SECONDS = 2
# Long values of a digest leave the row early, so that reading the narrow columns stays cheap.
TOAST_TARGETS = {
    "requests_log_digest": 256,
    "requests_log_body": 128,
    "requests_log_span": 256,
    "requests_log_otlp_span": 128,
}


def week_of(at: datetime) -> datetime:
    """The Monday, 00:00 UTC, of the week a moment lies in."""
    day = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day - timedelta(days=day.weekday())


def weeks_around(at: datetime) -> list[datetime]:
    """The weeks that should exist at this moment."""
    first = week_of(at) - WEEKS_BACK * WEEK
    return [first + number * WEEK for number in range(WEEKS_BACK + WEEKS_AHEAD + 1)]


def make_weeks(*, at: datetime, parents: Sequence[str] = PARENTS) -> int:
    """Make the missing partitions around a moment; returns how many weeks were made.

    `parents` are all tables but for old migrations, which know fewer.

    Raises:
        django.db.OperationalError: a lock was not free within two seconds; call again later.
    """
    return sum(make_week(week, parents) for week in weeks_around(at))


def make_weeks_for(ids: Iterable[UUID]) -> int:
    """Make the partitions old ids need, before importing them in bulk."""
    return sum(make_week(week) for week in sorted({week_of(time_of(id_)) for id_ in ids}))


def make_week(week: datetime, parents: Sequence[str] = PARENTS) -> bool:
    """Make one week's partitions, taking over rows from the DEFAULT ones; False if all exist."""
    missing = [parent for parent in parents if not _exists(partition_name(parent, week))]
    if not missing:
        return False
    with transaction.atomic():
        _execute("SET LOCAL lock_timeout = {}", sql.Literal(f"{LOCK_SECONDS}s"))
        for parent in missing:
            _make_partition(parent, week)
    return True


def missing(weeks: Sequence[datetime]) -> int:
    """How many of these weeks lack the partition of some table."""
    names = [[partition_name(parent, week) for parent in PARENTS] for week in weeks]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name FROM unnest(%s::text[]) AS name WHERE to_regclass(name) IS NULL", [names]
        )
        absent = {row[0] for row in cursor.fetchall()}
    return sum(not absent.isdisjoint(of_week) for of_week in names)


def partition_name(parent: str, week: datetime) -> str:
    return f"{parent}_p{week:%Y%m%d}"


def sweep_net() -> int:
    """Make the weeks of the rows that fell into the net, which moves them; returns weeks made."""
    ids: set[UUID] = set()
    for parent in PARENTS:
        with connection.cursor() as cursor:
            net = sql.Identifier(f"{parent}_default")
            cursor.execute(sql.SQL("SELECT id FROM {} LIMIT 100000").format(net))
            ids.update(row[0] for row in cursor.fetchall())
    return make_weeks_for(ids)


def _make_partition(parent: str, week: datetime) -> None:
    name = sql.Identifier(partition_name(parent, week))
    net = sql.Identifier(f"{parent}_default")
    table = sql.Identifier(parent)
    low, high = (sql.Literal(str(floor_of(bound))) for bound in (week, week + WEEK))
    _execute("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE", net)
    _execute("CREATE TABLE {} (LIKE {} INCLUDING ALL)", name, table)
    if parent in TOAST_TARGETS:
        target = sql.Literal(TOAST_TARGETS[parent])
        _execute("ALTER TABLE {} SET (toast_tuple_target = {})", name, target)
    _execute(
        "WITH moved AS (DELETE FROM {} WHERE id >= {} AND id < {} RETURNING *) "
        "INSERT INTO {} SELECT * FROM moved",
        net,
        low,
        high,
        name,
    )
    _execute(
        "ALTER TABLE {} ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})", table, name, low, high
    )


def _exists(name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s)", [name])
        return cursor.fetchone()[0] is not None


def _execute(text: str, *parts: sql.Composable) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL(text).format(*parts))
