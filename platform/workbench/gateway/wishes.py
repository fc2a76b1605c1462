"""How a caller wants a call to be carried out; what is not said is the connection's setting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from workbench.gateway.answers import Refusal

MOST_RETRIES = 5
MOST_FALLBACKS = 5
LONGEST_TIMEOUT = 3600
LONGEST_KEPT = 30 * 86_400
PREFIX = b"x-stillhouse-"


@dataclass(frozen=True, slots=True)
class Wishes:
    """None and empty mean: as the connection says.

    `timeout` is seconds until the first byte, `cache_seconds` how long an answer may be used
    again (0: not at all), `fallbacks` model refs to try when the one asked for fails.
    """

    retries: int | None = None
    fallbacks: tuple[str, ...] | None = None
    timeout: float | None = None
    cache_seconds: int | None = None


AS_SET = Wishes()


def read_wishes(headers: Mapping[bytes, bytes]) -> Wishes:
    """The wishes in a call's headers.

    Raises:
        Refusal: one of them makes no sense.
    """
    if not any(name.startswith(PREFIX) for name in headers):
        return AS_SET
    timeout = _whole(headers, b"timeout", 1, LONGEST_TIMEOUT)
    return Wishes(
        retries=_whole(headers, b"retries", 0, MOST_RETRIES),
        fallbacks=_refs(headers.get(PREFIX + b"fallbacks")),
        timeout=None if timeout is None else float(timeout),
        cache_seconds=_whole(headers, b"cache", 0, LONGEST_KEPT),
    )


def _whole(headers: Mapping[bytes, bytes], name: bytes, low: int, high: int) -> int | None:
    text = headers.get(PREFIX + name)
    if text is None:
        return None
    text = text.strip()
    if not text.isdigit() or len(text) > 9 or not low <= int(text) <= high:
        label = (PREFIX + name).decode()
        raise Refusal(
            400, "invalid_header", f"Write {label} as a whole number from {low} to {high}."
        )
    return int(text)


def _refs(header: bytes | None) -> tuple[str, ...] | None:
    if header is None:
        return None
    refs = [ref.strip() for ref in header.decode("utf-8", "replace").split(",")]
    found = tuple(ref for ref in refs if ref)
    if len(found) > MOST_FALLBACKS:
        raise Refusal(
            400, "invalid_header", f"Name up to {MOST_FALLBACKS} models in x-stillhouse-fallbacks."
        )
    return found
