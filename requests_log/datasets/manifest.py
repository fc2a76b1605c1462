"""A frozen version written out, so that anybody can check its hash without this product."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from requests_log.datasets.models import READ_CHUNK, DatasetVersion, VersionRow
from requests_log.datasets.splits import BUCKETS

RULE = (
    f"A row is held out when the first four bytes of its group, as a big-endian number modulo "
    f"{BUCKETS}, are less than heldout_percent times {BUCKETS // 100}. content_hash is the SHA-256 "
    "over the rows in order: the bytes of content, then the split's name in UTF-8."
)
_encode = msgspec.json.Encoder(order="deterministic").encode


def first_line(version: DatasetVersion) -> bytes:
    """What the version is, and how its split and its hash are made."""
    told: dict[str, Any] = {
        "dataset": version.dataset.slug,
        "number": version.number,
        "content_hash": version.content_hash,
        "rows": version.row_count,
        "heldout_percent": version.heldout_percent,
        "filter_text": version.filter_text,
        "transforms": version.transforms,
        "notes": version.notes,
        "frozen_at": version.created_at.isoformat(),
        "rule": RULE,
    }
    return _encode(told) + b"\n"


def lines_after(version: DatasetVersion, position: int) -> tuple[bytes, int] | None:
    """The next lines of the manifest behind a position (-1: from the start), and the last
    position in them; None at the end."""
    rows = VersionRow.objects.filter(version=version, position__gt=position)
    found = list(rows.order_by("position").select_related("content").only(
        "position", "split", "fingerprint", "provenance", "request_id", "content__sha256"
    )[:READ_CHUNK])  # fmt: skip
    if not found:
        return None
    return b"".join(_line(row) for row in found), found[-1].position


def manifest(version: DatasetVersion) -> Iterator[bytes]:
    """The whole manifest: a header, then one row a line, in the frozen order."""
    yield first_line(version)
    after = -1
    while (part := lines_after(version, after)) is not None:
        lines, after = part
        yield lines


def _line(row: VersionRow) -> bytes:
    told = {
        "content": bytes(row.content.sha256).hex(),
        "split": row.split,
        "group": bytes(row.fingerprint).hex(),
        "provenance": row.provenance,
        "request": str(row.request_id) if row.request_id else None,
    }
    return _encode(told) + b"\n"
