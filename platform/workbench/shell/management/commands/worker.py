"""`manage.py worker`: background jobs and the derivation of what was captured."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from requests_log.digest.loop import DigestLoop
from workbench.core.worker import JobWorker
from workbench.providers import sharing
from workbench.shell.preparation import prepare_database


class Command(BaseCommand):
    help = "Do background jobs: digest captured requests, comparisons, bulk changes."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--threads", type=int, default=4, help="jobs at once (default 4)")

    def handle(self, *args: Any, **options: Any) -> None:
        prepare_database()
        sharing.turn_on()
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        jobs, digest = JobWorker(threads=max(1, options["threads"])), DigestLoop()
        jobs.start()
        digest.start()
        self.stdout.write("worker: ready")
        stopping.wait()
        digest.stop()
        jobs.stop()
