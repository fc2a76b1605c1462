"""`manage.py demo`: the whole loop once, for real; what it did stays in the database."""

from __future__ import annotations

import json
import signal
import time
from datetime import UTC, datetime
from io import StringIO
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser

from workbench.core.models import Project
from workbench.shell.demo.client import Api
from workbench.shell.demo.loop import Demo
from workbench.shell.demo.server import running_server
from workbench.shell.demo.table import as_table

PROJECT = "Place names"


class Command(BaseCommand):
    help = "Run the worked example: capture, curate, train, compare, promote, serve."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--calls", type=int, default=3000, help="calls of the production app")
        parser.add_argument("--sdk-calls", type=int, default=300, help="of these, through the SDK")

    def handle(self, *args: Any, **options: Any) -> None:
        # Ctrl-C and SIGTERM must both stop the server that the demo started.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        started = time.perf_counter()
        with running_server() as url:
            printed = StringIO()
            call_command("key", "create", project=PROJECT, name="demo", stdout=printed)
            demo = Demo(
                api=Api(url, printed.getvalue().strip()),
                project=Project.objects.get(name=PROJECT),
                calls=options["calls"],
                sdk_calls=options["sdk_calls"],
                run=datetime.now(UTC).strftime("%Y%m%d-%H%M%S"),
            )
            report = demo.turn()
        report["seconds"]["all"] = round(time.perf_counter() - started, 1)
        path = settings.VAR_DIR / "demo" / "report.json"
        path.write_text(json.dumps(report, indent=2, ensure_ascii=False), encoding="utf-8")
        self.stdout.write(as_table(report))
        self.stdout.write(f"  report: {path}\n  look at it: make up, then {settings.PUBLIC_URL}")
