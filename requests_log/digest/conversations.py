"""A request's conversation from its body."""

from __future__ import annotations

from uuid import UUID

from requests_log import bodies
from requests_log.digest.derive import read
from requests_log.digest.shapes import Reading
from requests_log.models import RequestBody


def reading_of(project_id: int, request_id: UUID, operation: str) -> Reading:
    """What was asked and answered; empty when the body is gone or damaged."""
    body = RequestBody.objects.filter(project_id=project_id, id=request_id).first()
    if body is None:
        return Reading()
    try:
        raw = bodies.read(body)
    except bodies.BodyDamaged:
        return Reading()
    return read(operation, raw.request, raw.response)
