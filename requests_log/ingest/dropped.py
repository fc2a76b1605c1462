"""What clients say they had to drop: counted by day and reason, so that losses are seen."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import psycopg
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from requests_log.batcher import CONNECTION_SECONDS, Pool
from requests_log.encoding import clean
from requests_log.ingest.refusals import Refusal
from requests_log.redaction.hook import redact_name
from requests_log.redaction.policies import PolicyUnknown

logger = logging.getLogger(__name__)

AWAY = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    PoolTimeout,
    PoolClosed,
    TooManyRequests,
    PolicyUnknown,
)

ADD = """
INSERT INTO requests_log_dropped (project_id, day, reason, count)
VALUES (%s, (now() AT TIME ZONE 'UTC')::date, %s, %s)
ON CONFLICT (project_id, day, reason)
DO UPDATE SET count = requests_log_dropped.count + excluded.count
"""


async def record_dropped(pool: Pool, project_id: int, counts: Mapping[str, int]) -> None:
    """Add to the project's counts of today.

    Raises:
        Refusal: the database went away; the same batch must be sent again. Its events are stored
            already and will be duplicates, but the counts would be lost with an answer of 200.
    """
    logger.warning("A client of project %d dropped %d events", project_id, sum(counts.values()))
    try:
        rows = [
            (project_id, clean(await redact_name(project_id, reason)), count)
            for reason, count in sorted(counts.items())
        ]
        async with pool.connection(timeout=CONNECTION_SECONDS) as connection:
            await connection.cursor().executemany(ADD, rows)
    except AWAY as problem:
        raise Refusal.unavailable() from problem
    except psycopg.Error:
        logger.exception("The counts of dropped events could not be stored")
