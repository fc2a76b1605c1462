"""The runner process: one per host, leases runs and keeps the engine."""

from __future__ import annotations

import logging
import threading
from uuid import UUID

from django.db import DatabaseError, connection

from finetunes.hosts.base import TrainingHost
from finetunes.hosts.local import LocalHost
from finetunes.models import TrainingRun
from finetunes.supervision.engine import EngineKeeper
from finetunes.supervision.heartbeat import LEASE_SECONDS, Heartbeat
from finetunes.supervision.holders import holder, is_dead_neighbour
from finetunes.supervision.supervisor import Supervisor
from workbench.core.leases import LeaseLost

logger = logging.getLogger(__name__)

TICK_SECONDS = 0.5
PAUSE_SECONDS = 30.0


class Runner:
    """Works until `stop`. Starting is recovery: living trainers are adopted, dead ones replaced."""

    def __init__(self, host: str, *, slots: int = 1, place: TrainingHost | None = None) -> None:
        self.host = host
        self.slots = slots
        self.place = place or LocalHost()
        self.engine = EngineKeeper(host)
        self.active: dict[UUID, Supervisor] = {}
        self.leaving: list[Supervisor] = []
        self.heartbeat = Heartbeat(self._leases)
        self.stopping = threading.Event()

    def run(self) -> None:
        """Tick until asked to stop, then pause the trainers and end the engine."""
        engine = threading.Thread(target=self._keep_engine, name="engine-keeper")
        engine.start()
        while not self.stopping.wait(TICK_SECONDS):
            self._survive(self.tick)
        self._pause()
        engine.join()

    def stop(self) -> None:
        self.stopping.set()

    def tick(self) -> None:
        """Follow what runs, then take up what waits."""
        for run_id, supervisor in list(self.active.items()):
            if self._follow(supervisor):
                del self.active[run_id]
        self.leaving = [one for one in self.leaving if not one.has_left()]
        self._free_leases_of_the_dead()
        while len(self.active) < self.slots and self._take_one():
            pass

    def _follow(self, supervisor: Supervisor) -> bool:
        try:
            return supervisor.tick()
        except (LeaseLost, TrainingRun.DoesNotExist):
            logger.warning("Another runner took a run over", extra={"run": str(supervisor.run_id)})
            if supervisor.let_go():
                self.leaving.append(supervisor)
            return True
        except DatabaseError:
            raise
        except Exception:
            # The lease runs out meanwhile, so attempts are counted and the run ends one day.
            logger.exception("A run cannot be followed", extra={"run": str(supervisor.run_id)})
            return False

    def _take_one(self) -> bool:
        for run_id in TrainingRun.objects.startable(self.host).values_list("pk", flat=True)[:10]:
            token = TrainingRun.objects.all().claim(
                run_id, holder=holder(), lease_seconds=LEASE_SECONDS
            )
            if token is not None:
                self.active[run_id] = Supervisor(run_id, token, self.place, self.heartbeat)
                self.active[run_id].begin()
                return True
        return False

    def _leases(self) -> dict[UUID, UUID]:
        return {run_id: one.token for run_id, one in list(self.active.items())}

    def _free_leases_of_the_dead(self) -> None:
        """A runner of this machine that is gone need not be waited for."""
        leased = TrainingRun.objects.unfinished().filter(host=self.host).exclude(lease_token=None)
        for run in leased.exclude(pk__in=self.active):
            if is_dead_neighbour(run.lease_holder):
                TrainingRun.objects.filter(pk=run.pk, lease_token=run.lease_token).update(
                    lease_token=None, lease_until=None, lease_holder=""
                )

    def _pause(self) -> None:
        for supervisor in self.active.values():
            supervisor.pause()
        end = threading.Event()
        for _ in range(int(PAUSE_SECONDS / TICK_SECONDS)):
            self._survive(self._follow_all)
            if not self.active:
                return
            end.wait(TICK_SECONDS)

    def _follow_all(self) -> None:
        for run_id, supervisor in list(self.active.items()):
            if self._follow(supervisor):
                del self.active[run_id]

    def _keep_engine(self) -> None:
        while not self.stopping.wait(TICK_SECONDS):
            self._survive(self.engine.tick)
        self._survive(self.engine.stop)
        connection.close()

    def _survive(self, work: object) -> None:
        """Do one piece of work; the database or disk being away is waited out, never fatal."""
        try:
            work()  # type: ignore[operator]
        except DatabaseError:
            logger.warning("The database is away; trying again", exc_info=True)
            connection.close()
        except Exception:
            logger.exception("The runner could not do its round; trying again")
