"""What can go wrong with a call to a model, sorted by what helps: waiting, or a person."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum

import msgspec

from workbench.core.errors import DomainError

MOST_WORDS = 500
MOST_READ = 20_000


class Kind(StrEnum):
    """Why a call failed."""

    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    SERVER_ERROR = "server_error"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    MALFORMED = "malformed"
    UNFIT = "unfit"
    """A whole answer, paid for, that is not of the form that was asked for."""
    REFUSED = "refused"
    AUTH = "auth"
    QUOTA = "quota"
    CONTEXT_LENGTH = "context_length"
    CONTENT_FILTER = "content_filter"


PASSING = frozenset(
    {
        Kind.RATE_LIMITED, Kind.OVERLOADED, Kind.SERVER_ERROR, Kind.TIMEOUT, Kind.CONNECTION,
        Kind.MALFORMED, Kind.UNFIT,
    }
)  # fmt: skip
"""What may be over in a moment."""

REMEDIES = {
    Kind.RATE_LIMITED: "Lower the connection's limits, or try again later.",
    Kind.OVERLOADED: "Try again later.",
    Kind.SERVER_ERROR: "Try again later; if it stays, ask the provider.",
    Kind.TIMEOUT: "Try again, allow more seconds for an answer, or ask for fewer tokens.",
    Kind.CONNECTION: "Check that the connection's address is right and its server is up.",
    Kind.MALFORMED: "Check that the connection's address leads to an OpenAI-compatible server.",
    Kind.UNFIT: "Say the form more clearly in the prompt, simplify it, or ask a stronger model.",
    Kind.REFUSED: "Check the model's name and the parameters.",
    Kind.AUTH: "Check the connection's key under Settings.",
    Kind.QUOTA: "Add credit with the provider, or use another connection.",
    Kind.CONTEXT_LENGTH: "Shorten the messages, or use a model with a longer context.",
    Kind.CONTENT_FILTER: "Change or leave out this row: the provider's filter stopped it.",
}

_BY_STATUS = {
    401: Kind.AUTH, 403: Kind.AUTH, 402: Kind.QUOTA, 408: Kind.TIMEOUT, 409: Kind.OVERLOADED,
    413: Kind.CONTEXT_LENGTH, 425: Kind.OVERLOADED, 429: Kind.RATE_LIMITED,
    503: Kind.OVERLOADED, 504: Kind.TIMEOUT, 529: Kind.OVERLOADED,
}  # fmt: skip
_FILTER_CODES = frozenset({"content_filter", "content_policy_violation"})
_QUOTA_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
_TOO_LONG = ("context length", "context window", "prompt is too long", "maximum context")


class ModelRefused(DomainError):
    """The model's server answered with an error; the sentence carries its own words."""

    code = "model_refused"
    status = 502


class CallFailed(ModelRefused):
    """One call failed: `kind` says why, `words` are the provider's own, `answered` is its status.

    `retry_after` is how many seconds the provider asked to wait; None where it did not.
    """

    def __init__(
        self,
        sentence: str,
        *,
        kind: Kind,
        answered: int | None = None,
        retry_after: float | None = None,
        words: str = "",
    ) -> None:
        super().__init__(f"{sentence} {REMEDIES[kind]}")
        self.kind = kind
        self.answered = answered
        self.retry_after = retry_after
        self.words = words

    @property
    def is_passing(self) -> bool:
        """Whether the same call may work in a moment."""
        return self.kind in PASSING


def from_answer(
    label: str, status: int, headers: Mapping[str, str], body: bytes, *, now: datetime | None = None
) -> CallFailed:
    """What an answer that is not 200 means."""
    words, code = _error_of(body)
    kind = _kind(status, words, code)
    return CallFailed(
        f"{label} refused the call (status {status}): {_sentence(words)}",
        kind=kind,
        answered=status,
        retry_after=retry_after(headers, now=now or datetime.now(UTC)),
        words=words,
    )


def retry_after(headers: Mapping[str, str], *, now: datetime) -> float | None:
    """The seconds a server asks to wait, by `retry-after-ms` or `Retry-After` (seconds or a date);
    None where it asks for nothing that can be read."""
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    told = headers.get("Retry-After", "")
    seconds = _number(told)
    return seconds if seconds is not None else _until(told, now)


def _until(date: str, now: datetime) -> float | None:
    try:
        then = parsedate_to_datetime(date)
    except (ValueError, TypeError):
        return None
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    return max(0.0, (then - now).total_seconds())


def _number(text: str) -> float | None:
    whole, _, part = text.strip().partition(".")
    is_number = whole.isascii() and whole.isdecimal() and len(whole) < 10
    return float(text) if is_number and (not part or part.isdecimal()) else None


def _kind(status: int, words: str, code: str) -> Kind:
    said = words.lower()
    if code in _QUOTA_CODES:
        return Kind.QUOTA
    if code in _FILTER_CODES:
        return Kind.CONTENT_FILTER
    if code == "context_length_exceeded" or (400 <= status < 500 and _says(said, _TOO_LONG)):
        return Kind.CONTEXT_LENGTH
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return Kind.SERVER_ERROR if status >= 500 else Kind.REFUSED


def _says(text: str, parts: tuple[str, ...]) -> bool:
    return any(part in text for part in parts)


def _error_of(body: bytes) -> tuple[str, str]:
    """The provider's words, and its code for them."""
    try:
        error = msgspec.json.decode(body)["error"]
    except (msgspec.DecodeError, KeyError, TypeError):
        return _text_of(body), ""
    if not isinstance(error, dict):
        return str(error)[:MOST_WORDS], ""
    code = error.get("code") or error.get("type") or ""
    return str(error.get("message", ""))[:MOST_WORDS], str(code)


def _text_of(body: bytes) -> str:
    """What an answer that is no JSON says; of a web page, its title."""
    text = body[:MOST_READ].decode(errors="replace").strip()
    if not text.startswith("<"):
        return text[:MOST_WORDS]
    title = re.search(r"<title[^>]*>([^<]*)", text, re.IGNORECASE)
    return (" ".join(title[1].split()) if title else "")[:MOST_WORDS] or "a web page"


def _sentence(words: str) -> str:
    if not words:
        return "it gave no reason."
    return words if words.endswith((".", "!", "?")) else f"{words}."
