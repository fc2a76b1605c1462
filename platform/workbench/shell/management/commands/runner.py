"""`manage.py runner`: does training runs on this host and keeps its engine."""

from __future__ import annotations

import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from finetunes.supervision.runner import Runner
from workbench.shell.preparation import prepare_database


class Command(BaseCommand):
    help = "Run training runs on this host and serve registered models."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--slots", type=int, default=1, help="runs at once (default 1)")

    def handle(self, *args: Any, **options: Any) -> None:
        prepare_database()
        runner = Runner(settings.RUNNER_HOST, slots=max(1, options["slots"]))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: runner.stop())
        self.stdout.write(f"runner on host {settings.RUNNER_HOST}: ready")
        runner.run()
