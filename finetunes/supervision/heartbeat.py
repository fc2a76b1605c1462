"""Prolonging leases while the runner is busy with one long thing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from uuid import UUID

from finetunes.models import TrainingRun
from workbench.core.heartbeat import beating
from workbench.core.leases import LeaseLost

LEASE_SECONDS = 20.0


class Heartbeat:
    """Keeps all leases of a runner: one run's long work must not cost the others theirs.

    `leases` gives the tokens by run, anew at each beat. A lease that is lost is noticed by the
    next write of its supervisor.
    """

    def __init__(self, leases: Callable[[], Mapping[UUID, UUID]]) -> None:
        self._leases = leases

    def going(self) -> AbstractContextManager[None]:
        """Prolong the leases from a thread for as long as the block runs."""
        return beating(self._keep_all, name="run-heartbeat")

    def _keep_all(self) -> None:
        for run_id, token in self._leases().items():
            with suppress(LeaseLost):
                TrainingRun.objects.all().keep(run_id, token, lease_seconds=LEASE_SECONDS)
