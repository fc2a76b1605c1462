"""Erasing what one person left: their calls, the examples made of them; and who learned from it."""

from __future__ import annotations
