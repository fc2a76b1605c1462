"""What models say, as the database can hold it."""

from __future__ import annotations

from typing import Any


def storable(text: str) -> str:
    """The text without what Postgres refuses: NUL, and halves of surrogate pairs."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def storable_json(value: Any) -> Any:
    """The value with every text in it storable."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, list):
        return [storable_json(one) for one in value]
    if isinstance(value, dict):
        return {name: storable_json(one) for name, one in value.items()}
    return value
