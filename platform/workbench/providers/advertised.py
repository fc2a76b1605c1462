"""What providers tell in headers about their rate limits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True)
class Advertised:
    """A limit as an answer told it: of `limit`, `remaining` are left; in `reset` seconds all are
    back."""

    limit: float
    remaining: float
    reset: float


def requests_left(headers: Mapping[str, str], *, now: datetime) -> Advertised | None:
    """What is told of requests, in OpenAI's or Anthropic's headers."""
    return _told(headers, "requests", now)


def tokens_left(headers: Mapping[str, str], *, now: datetime) -> Advertised | None:
    """What is told of tokens, in OpenAI's or Anthropic's headers."""
    return _told(headers, "tokens", now)


def seconds_in(text: str, *, now: datetime) -> float | None:
    """A span such as `6m0s`, `12ms` or `1.5` (seconds), or a time such as 2026-11-22T03:04:05Z, in
    seconds from now; None where it is neither."""
    text = text.strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", text):
        return float(text)
    if text and not _PART.sub("", text):
        return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
    try:
        then = datetime.fromisoformat(text)
    except ValueError:
        return None
    then = then if then.tzinfo else then.replace(tzinfo=UTC)
    return max(0.0, (then - now).total_seconds())


def _told(headers: Mapping[str, str], what: str, now: datetime) -> Advertised | None:
    for name in ("x-ratelimit-{}-" + what, "anthropic-ratelimit-" + what + "-{}"):
        limit, left = (_amount(headers.get(name.format(k), "")) for k in ("limit", "remaining"))
        reset = seconds_in(headers.get(name.format("reset"), ""), now=now)
        if limit and left is not None and reset is not None:
            return Advertised(limit, min(left, limit), reset)
    return None


def _amount(text: str) -> float | None:
    return float(text) if re.fullmatch(r"\d{1,15}", text.strip()) else None
