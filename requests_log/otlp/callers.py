"""Who sends spans: an API key, wherever exporters can put one."""

from __future__ import annotations

import base64
import binascii

from requests_log.ingest.refusals import Refusal
from workbench.core import hotkeys
from workbench.core.hotkeys import HotKey, KeysUnavailable
from workbench.core.keys import parse_key
from workbench.core.models import Scope

HOW = (
    "Send a valid API key: set OTEL_EXPORTER_OTLP_HEADERS to “Authorization=Bearer%20sh_…” "
    "(make one under Settings)."
)


async def authorise(headers: dict[bytes, bytes]) -> HotKey:
    """The key of a request, which may store events.

    Raises:
        Refusal: there is none, it may not, or it cannot be checked now.
    """
    try:
        key = await hotkeys.shared().find(_bearer(headers))
    except KeysUnavailable as problem:
        raise Refusal.unavailable() from problem
    if key is None:
        raise Refusal(401, "unauthorized", HOW, ((b"www-authenticate", b"Bearer"),))
    if not key.allows(Scope.INGEST):
        raise Refusal(403, "forbidden", "This key lacks the scope “ingest”. Make one that has it.")
    return key


def _bearer(headers: dict[bytes, bytes]) -> str:
    """The key as a Bearer header: given as one, as user or password of Basic, or by itself."""
    header = headers.get(b"authorization", b"").decode("latin-1")
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "basic":
        return f"Bearer {_from_basic(value.strip())}"
    if not header:
        return f"Bearer {headers.get(b'x-api-key', b'').decode('latin-1').strip()}"
    return header


def _from_basic(value: str) -> str:
    try:
        user, _, password = base64.b64decode(value, validate=True).decode("latin-1").partition(":")
    except (binascii.Error, ValueError):
        return ""
    return next((text for text in (password, user) if parse_key(text)), "")
