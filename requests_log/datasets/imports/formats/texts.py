"""Texts without question and answer: pieces of documents."""

from __future__ import annotations

from typing import Any

from requests_log.datasets.imports.formats.base import GROUP, Row, RowFormat


def _read(row: Row) -> dict[str, Any]:
    made: dict[str, Any] = {"text": row.need("text")}
    for role in ("title", "group"):
        if (found := row.text(role)) is not None:
            made[role] = found
    return made


TEXT = RowFormat(
    "text",
    "Texts",
    '{"text": "…", "title": "…"}',
    {
        "text": "text content body document page_content markdown",
        "title": "title heading headline",
        **GROUP,
    },
    # A label beside a text is its answer, so the two are no mere text.
    lambda row: isinstance(row.get("text"), str) and "label" not in row.value,
    _read,
)
