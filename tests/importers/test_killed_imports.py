"""An import whose worker is killed, again and again: nothing lost, nothing twice, all counted."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings

from requests_log.importers import actions
from requests_log.importers.models import Import
from requests_log.models import RequestRow
from tests.core.test_job_processes import PATIENCE, expire_leases, wait_until, worker
from tests.importers.factories import make_import, make_rows
from workbench.core.models import Job, Project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
ROWS = 30_000
KILLS = 3


def position(made: Import) -> int:
    return Import.objects.get(pk=made.pk).position


def has_passed(made: Import, start: int) -> Callable[[], bool]:
    return lambda: position(made) > start


def test_kill_9_costs_neither_a_row_nor_a_count(project: Project, tmp_path: Path) -> None:
    made = make_import(project, make_rows(ROWS))
    actions.start_import(made, by=None)
    for _ in range(KILLS):
        start = position(made)
        with worker(tmp_path / "effects", ARTIFACTS_URL=settings.ARTIFACTS_URL) as killed:
            wait_until(has_passed(made, start), "some rows")
            killed.send_signal(signal.SIGKILL)
            killed.wait(PATIENCE)
        assert position(made) < ROWS
        expire_leases()

    with worker(tmp_path / "effects", ARTIFACTS_URL=settings.ARTIFACTS_URL):
        wait_until(
            lambda: Job.objects.get(project=project).state == Job.State.SUCCEEDED, "the last heir"
        )

    ended = Import.objects.get(pk=made.pk)
    assert RequestRow.objects.in_project(project).count() == ROWS
    assert (ended.calls, ended.duplicates, ended.rejected) == (ROWS, 0, 0)
    assert Job.objects.get(project=project).attempt == KILLS + 1
