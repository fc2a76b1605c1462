"""`manage.py up`: everything on one machine, logs interleaved, clean stop on Ctrl-C."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from workbench.core.models import User
from workbench.shell.ports import require_free_port
from workbench.shell.preparation import prepare_database
from workbench.shell.processes import Roof


class Command(BaseCommand):
    help = "Start the database, the web server, a worker and a runner; stop with Ctrl-C."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        require_free_port(settings.HOST, settings.PORT)
        prepare_database()
        roof = Roof(env=os.environ, output=sys.stdout)
        for name in ("web", "worker", "runner"):
            roof.add(name, name)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: roof.stopping.set())
        roof.say("up", f"open {settings.PUBLIC_URL}{'' if User.objects.exists() else '/setup/'}")
        sys.exit(roof.run())
