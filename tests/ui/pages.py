"""Pages served without a database: the pattern page, its fragments and the static files."""

from __future__ import annotations

import mimetypes
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from socketserver import ThreadingMixIn
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from django.contrib.auth.models import AnonymousUser
from django.contrib.messages.storage.base import Message
from django.contrib.staticfiles import finders
from django.template.loader import render_to_string
from django.test import RequestFactory

from workbench.core.middleware import POLICY
from workbench.core.models import Project
from workbench.shell.pattern_examples import examples

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
PALETTE = b'{"offers": [{"group": "Saved views", "label": "Unhappy people", "url": "/fragment/"}]}'
FRAGMENT = """<div class="inspector__head"><h2>Request</h2>
<button type="button" data-close-inspector>Close</button></div>"""


def rendered(
    template: str, context: dict[str, Any] | None = None, *, path: str = "/", theme: str = ""
) -> str:
    """A page as somebody in the project Acme sees it, without asking a database."""
    request = RequestFactory().get(path)
    request.COOKIES["theme"] = theme
    request.user = AnonymousUser()
    request.project = Project(pk=1, slug="acme", name="Acme")  # type: ignore[attr-defined]
    return render_to_string(template, context, request=request)


def pattern_page(*, theme: str = "") -> str:
    """The pattern page; its rows open a fragment, as the rows of a real list do."""
    page = rendered("shell/patterns.html", examples(at=NOON), path="/patterns/", theme=theme)
    opened = 'data-open href="#lists" hx-get="/fragment/" hx-target="#inspector"'
    return page.replace('data-open href="#lists"', opened)


def message(level: int, text: str) -> Message:
    return Message(level, text)


Start = Callable[[str, list[tuple[str, str]]], object]


def application(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
    """Answer under the same content security policy as the real server."""
    path = environ["PATH_INFO"]
    body, kind = (PALETTE, "application/json") if path.endswith(".json") else _answer(path)
    status = "200 OK" if body else "404 Not Found"
    start(status, [("Content-Type", kind), ("Content-Security-Policy", POLICY)])
    return [body]


def _answer(path: str) -> tuple[bytes, str]:
    if not path.startswith("/static/"):
        return _page(path).encode(), "text/html; charset=utf-8"
    found = finders.find(path.removeprefix("/static/"))
    kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
    return (Path(found).read_bytes(), kind) if found else (b"", kind)


def _page(path: str) -> str:
    if path == "/fragment/":
        return FRAGMENT
    if path == "/p/acme/jobs/active/":
        return "<!-- nothing runs -->"
    page = pattern_page()
    return page if path == "/charts/" else page.replace("data-chart=", "data-no-chart=")


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing: the test's output is the browser's."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


@contextmanager
def served() -> Iterator[str]:
    """The address of a running server."""
    with make_server(
        "127.0.0.1", 0, application, server_class=_Server, handler_class=_Quiet
    ) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
