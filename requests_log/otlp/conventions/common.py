"""What every convention shares: who, where, and which release."""

from __future__ import annotations

from typing import Any

from requests_log.otlp.attributes import Given, as_json, as_object
from requests_log.otlp.reading import Reading

IS_SET = "true"
"""The value of a tag that was given as a name alone."""


def read(given: Given) -> Reading:
    resource = given.span.resource
    metadata = scalars(as_object(given.json("metadata"))) | scalars(given.below("metadata"))
    service = scalars({"service": resource.get("service.name")})
    return Reading(
        end_user=given.text("user.id", "enduser.id"),
        session=given.text("session.id"),
        environment=_first(given, "deployment.environment.name", "deployment.environment"),
        release=_first(given, "service.version"),
        tags=service | tags_from_list(as_json(given.any("tag.tags"))) | metadata,
    )


def scalars(given: dict[str, Any]) -> dict[str, str]:
    """The members that are texts, numbers or truth values, written out."""
    return {
        name: value if isinstance(value, str) else str(value).lower()
        for name, value in given.items()
        if isinstance(value, str | bool | int | float)
    }


def tags_from_list(given: Any) -> dict[str, str]:
    """Names alone become tags that are `true`."""
    if not isinstance(given, list):
        return {}
    return {name: IS_SET for name in given if isinstance(name, str) and name}


def _first(given: Given, *names: str) -> str | None:
    """Of the span, or of the resource it came under."""
    found = given.text(*names)
    if found:
        return found
    told = (given.span.resource.get(name) for name in names)
    return next((value for value in told if isinstance(value, str) and value), None)
