"""Pieces of URL patterns."""

from __future__ import annotations

# Written out: tools that read URL patterns (the API schema among them) know no nested groups.
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
