"""Small programs in the engine's place, and a clock that a test sets."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from django.db.models.functions import Now

from finetunes.models import Engine
from finetunes.serving import WANTED_FOR
from finetunes.supervision.engine import EngineKeeper

CRASHES = "import sys; sys.exit('no room for the weights')"
ANSWERS = """
import json, os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_): pass
server = HTTPServer(("127.0.0.1", 0), Answer)
url = "http://127.0.0.1:%d" % server.server_port
draft = sys.argv[1] + "/notice.part"
open(draft, "w").write(json.dumps({"url": url}))
os.replace(draft, sys.argv[1] + "/engine.json")
"""
HEALTHY = ANSWERS + "server.serve_forever()"
GOES_SILENT = ANSWERS + "server.handle_request()\nimport time\ntime.sleep(600)"


class Clock:
    """Seconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def keeper_of(program: str, clock: Callable[[], float] = time.monotonic) -> EngineKeeper:
    return EngineKeeper("local", program=(sys.executable, "-c", program), clock=clock)


def want() -> None:
    Engine.objects.update_or_create(host="local", defaults={"wanted_until": Now() + WANTED_FOR})


def tick_until(keeper: EngineKeeper, met: Callable[[Engine], bool]) -> Engine:
    """Tick until the engine's row meets a condition."""
    end = time.monotonic() + 120
    while True:
        keeper.tick()
        engine = Engine.objects.get(host="local")
        if met(engine):
            return engine
        assert time.monotonic() < end, engine.problem
        time.sleep(0.02)
