"""Answers that say when nothing has changed, so that polling is cheap."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
from django.utils.http import parse_etags
from rest_framework.request import Request
from rest_framework.response import Response


def unless_known(request: Request, body: dict[str, Any], *, cache: str) -> Response:
    """The body with a strong ETag of its contents; 304 while `If-None-Match` still holds."""
    tag = f'"{hashlib.sha256(msgspec.json.encode(body)).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": cache}
    if _still_holds(tag, request.headers.get("If-None-Match", "")):
        return Response(status=304, headers=headers)
    return Response(body, headers=headers)


def _still_holds(tag: str, wanted: str) -> bool:
    """Weak comparison (RFC 9110, 13.1.2): a proxy that compresses answers weakens the tag."""
    known = [one.removeprefix("W/") for one in parse_etags(wanted)]
    return tag in known or known == ["*"]
