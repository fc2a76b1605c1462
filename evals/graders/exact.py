"""Exact match."""

from __future__ import annotations


def exact_match(answer: str, expected: str) -> float:
    """1.0 when the answer is the expected text, white space around it aside; else 0.0."""
    return 1.0 if answer.strip() == expected.strip() else 0.0
