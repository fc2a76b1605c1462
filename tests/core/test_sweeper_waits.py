"""How often the sweeper hints at a job that waits."""

from __future__ import annotations

from workbench.core.worker import LONGEST_WAIT_ROUNDS, Wait


def test_hints_at_a_waiting_job_become_ever_rarer() -> None:
    wait = Wait()

    due = [number for number in range(1, 40) if wait.is_over()]

    assert due == [2, 5, 10, 19, 36]


def test_hints_never_stop() -> None:
    wait = Wait()

    due = sum(wait.is_over() for _ in range(20 * LONGEST_WAIT_ROUNDS))

    assert due >= 19
