"""Ids that a record gets again whenever it is imported, so that importing twice adds nothing."""

from __future__ import annotations

import hashlib
from datetime import datetime
from uuid import UUID

from workbench.core.ids import floor_of

_FREE = (0xFFF << 64) | ((1 << 62) - 1)
"""The bits of a UUIDv7 that are neither time, version nor variant."""


def id_of(source: str, source_id: str, at: datetime) -> UUID:
    """The UUIDv7 of what a source calls `source_id`: its time, and a hash in place of chance."""
    named = f"{source}\0{source_id}".encode("utf-8", "surrogatepass")
    digest = int.from_bytes(hashlib.sha256(named).digest()[:10])
    spread = ((digest >> 62 & 0xFFF) << 64) | (digest & ((1 << 62) - 1))
    return UUID(int=floor_of(at).int | (spread & _FREE))
