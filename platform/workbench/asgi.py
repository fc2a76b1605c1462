"""One path router: hot paths go to bare ASGI apps, everything else to Django.

Django's own request set-up costs about a millisecond; a logged or proxied call should not pay it.
"""

from __future__ import annotations

import os
from typing import Any, Protocol

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "workbench.settings")
_django = get_asgi_application()

from requests_log.ingest import asgi as ingest  # noqa: E402 - needs Django set up
from requests_log.otlp import asgi as otlp  # noqa: E402
from workbench.core.bodylimit import App, Receive, Scope, Send, bounded  # noqa: E402
from workbench.gateway import asgi as gateway  # noqa: E402


class HotApp(Protocol):
    """A module with an ASGI `app` and what must happen around its life."""

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None: ...
    async def startup(self) -> None: ...
    async def shutdown(self) -> None: ...


_pages = bounded(_django)  # type: ignore[arg-type]  # ASGI typed less strictly
HOT: tuple[tuple[str, Any], ...] = (
    ("/api/v1/ingest", ingest),
    *((path, otlp) for path in otlp.PATHS),
    ("/v1/", gateway),
)


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI entry point of the web process."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    await _route(scope["path"])(scope, receive, send)


def _route(path: str) -> App:
    for prefix, module in HOT:
        if path == prefix or path.startswith(prefix if prefix.endswith("/") else prefix + "/"):
            app: App = module.app
            return app
    return _pages


def _modules() -> list[Any]:
    """The modules behind the hot paths, each once, in the order in which they start."""
    return list(dict.fromkeys(module for _, module in HOT))


async def _lifespan(receive: Receive, send: Send) -> None:
    await receive()
    try:
        for module in _modules():
            await module.startup()
    except Exception as problem:  # the server prints the sentence and exits
        await send({"type": "lifespan.startup.failed", "message": str(problem)})
        raise
    await send({"type": "lifespan.startup.complete"})
    await receive()
    for module in reversed(_modules()):
        await module.shutdown()
    await send({"type": "lifespan.shutdown.complete"})
