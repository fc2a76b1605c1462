"""How this app's background jobs are done."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from evals.online.jobs import RUN_MONITOR
from evals.online.models import Monitor
from evals.online.running import run_monitor
from workbench.core.queue import RunningJob


@RUN_MONITOR.handler
def run(job: RunningJob) -> dict[str, Any]:
    """Grade what came in; a second delivery finds that it was looked at."""
    monitor = Monitor.objects.select_related("project").filter(pk=job.payload["monitor"]).first()
    if monitor is None:  # deleted meanwhile
        return {}
    until = datetime.fromisoformat(job.payload["until"])
    return run_monitor(monitor, until=until, report=job.progress)
