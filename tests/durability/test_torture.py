"""Nothing that was acknowledged is lost, doubled or changed, whatever is killed; and the harness
would see it."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest

from tests.durability.nemesis import plan
from tests.durability.torture import Arena, aloud, arena, torture
from tests.journeys.installation import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
CYCLES = int(os.environ.get("TORTURE_CYCLES", "20"))
ENOUGH = 3000
"""Events among which every kind is, also those of which one in two hundred is refused."""
SEED = int(os.environ.get("TORTURE_SEED", "0"))


def test_killing_everything_loses_doubles_and_changes_nothing() -> None:
    seed = SEED or random.SystemRandom().randrange(1, 1 << 31)
    aloud(f"seed {seed}")

    blows = plan(seed, CYCLES)
    report = torture(blows, seed, asynchronous=False, say=aloud, events=ENOUGH)

    aloud(report.line())
    assert report.problems == [], f"seed {seed}"
    assert report.acked > CYCLES * 20
    assert min(report.quarantined, report.rejected, report.verdicts["duplicate"]) > 0


def test_without_synchronous_commit_the_harness_finds_losses() -> None:
    blows = plan(1, 1, ["kill postmaster"])

    report = torture(blows, 1, asynchronous=True, say=aloud)

    assert report.lost > 0
    assert any("acknowledged events not stored" in problem for problem in report.problems)


@pytest.fixture(scope="module")
def written() -> Iterator[Arena]:
    """A quiet run that is over, with everything stored."""
    with arena(3) as arena_:
        with arena_.writing():
            wait_until(lambda: has_every_kind(arena_), what="events of every kind", seconds=240)
        arena_.drain()
        yield arena_


def has_every_kind(arena_: Arena) -> bool:
    """Whether there is something of everything that is tampered with below."""
    with arena_.place.connect() as connection:
        found = connection.execute(EVERY_KIND).fetchone()
    return found == (True, True, True, True)


EVERY_KIND = """
SELECT EXISTS (SELECT FROM requests_log_quarantine), EXISTS (SELECT FROM requests_log_span),
       EXISTS (SELECT FROM requests_log_score WHERE label IS NULL),
       count(*) > 50 FROM requests_log_body WHERE response IS NOT NULL
"""
TAMPERINGS = {
    "a lost call": ("DELETE FROM requests_log_body WHERE id = {id}", "lost"),
    "lost facts": ("DELETE FROM requests_log_request WHERE id = {id}", "differing"),
    "lost tags": ("DELETE FROM requests_log_tags WHERE id = {id}", "lost"),
    "a changed byte": (
        "UPDATE requests_log_body SET codec = 'raw', request = '{{}}'::bytea WHERE id = {id}",
        "differing",
    ),
    "a lost answer": ("UPDATE requests_log_body SET response = NULL WHERE id = {id}", "differing"),
    "a lost refusal": ("DELETE FROM requests_log_quarantine", "lost"),
    "a call that is also in quarantine": (
        "INSERT INTO requests_log_quarantine (project_id, id, error, facts, request) "
        "SELECT project_id, id, '', '', '' FROM requests_log_body WHERE id = {id}",
        "duplicated",
    ),
    "a call nobody sent": (
        "UPDATE requests_log_body SET id = overlay(id::text placing '00' from 35)::uuid "
        "WHERE id = {id}",
        "lost",
    ),
    "a changed span": (
        "UPDATE requests_log_span SET codec = 'raw', input = '{{}}'::bytea",
        "differing",
    ),
    "a lost span": ("DELETE FROM requests_log_span", "lost"),
    "a changed score": (
        "UPDATE requests_log_score SET number = 7 WHERE label IS NULL",
        "differing",
    ),
    "a lost score": ("DELETE FROM requests_log_score", "lost"),
    "a forgotten digest": ("DELETE FROM requests_log_digest WHERE id = {id}", "problems"),
    "a wrong count of losses": (
        "INSERT INTO requests_log_dropped VALUES ((SELECT max(project_id) FROM "
        "requests_log_body), now(), 'made up', 1000000)",
        "problems",
    ),
}


def test_a_quiet_run_keeps_every_promise(written: Arena) -> None:
    report = written.check()

    assert report.problems == []
    assert report.acked > 50


@pytest.mark.parametrize("what", TAMPERINGS)
def test_the_checker_notices(written: Arena, what: str) -> None:
    statement, found = TAMPERINGS[what]
    with written.place.connect() as connection, connection.transaction(force_rollback=True):
        row = connection.execute(
            "SELECT r.id FROM requests_log_request r JOIN requests_log_body b USING (id) "
            "WHERE r.source IS NULL AND b.response IS NOT NULL ORDER BY r.id LIMIT 1"
        ).fetchone()
        assert row is not None
        connection.execute(statement.format(id=f"'{row[0]}'"))

        report = written.check_with(connection)

    assert report.problems
    assert getattr(report, found)
