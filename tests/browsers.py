"""What every browser test needs to know of the machine it may run on."""

from __future__ import annotations

PATIENCE = 60_000
"""Milliseconds that a busy machine may take for one step."""
