"""Who calls, found out before Django has read what they send: by key, or by session."""

from __future__ import annotations

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.backends.db import SessionStore
from django.db import connections
from django.http import HttpRequest
from django.http.cookie import parse_cookie

from workbench.core import hotkeys
from workbench.core.keys import bearer


async def is_program(authorization: str) -> bool:
    """Whether the header carries a key that works.

    Raises:
        KeysUnavailable: the database is away and the key was not seen lately.
    """
    if bearer(authorization) is None:
        return False
    return await hotkeys.shared().find(authorization) is not None


async def is_person(cookies: str) -> bool:
    """Whether the cookies carry the session of somebody signed in."""
    key = parse_cookie(cookies).get(settings.SESSION_COOKIE_NAME, "")
    return bool(key) and await sync_to_async(_is_signed_in, thread_sensitive=False)(key)


def _is_signed_in(session_key: str) -> bool:
    request = HttpRequest()
    request.session = SessionStore(session_key)
    try:
        return get_user(request).is_authenticated
    finally:
        connections.close_all()  # the thread is not used again
