"""`manage.py web`: the ASGI server with ingest, gateway, API and pages."""

from __future__ import annotations

import signal
import sys
import warnings
from typing import Any

import uvicorn
from django.conf import settings
from django.core.management.base import BaseCommand

from workbench.shell.ports import require_free_port
from workbench.shell.preparation import prepare_database

BACKLOG = 2048
STOP_SECONDS = 10


class Command(BaseCommand):
    help = "Serve the web interface, the API, the gateway and ingest."

    def handle(self, *args: Any, **options: Any) -> None:
        require_free_port(settings.HOST, settings.PORT)
        prepare_database()
        # Static files are ordinary iterators; Django reads them in a thread, as it should.
        warnings.filterwarnings("ignore", "StreamingHttpResponse must consume synchronous")
        # The server gives the signal on when it has stopped: what waits for the exit must be done.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        self.stdout.write(f"web: {settings.PUBLIC_URL}")
        uvicorn.run(
            "workbench.asgi:application",
            host=settings.HOST,
            port=settings.PORT,
            loop="uvloop",
            http="httptools",
            lifespan="on",
            access_log=False,
            log_config=None,
            server_header=False,
            backlog=BACKLOG,
            timeout_graceful_shutdown=STOP_SECONDS,
        )
