"""How much our own jobs may ask of a connection."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.core.errors import InvalidInput
from workbench.providers.models import Connection

MOST_A_MINUTE = 2_000_000_000
MOST_AT_ONCE = 1000


@dataclass(frozen=True)
class Limits:
    """What a connection's provider allows; None: no limit but the provider's own answers.

    They hold for our own jobs (comparisons, pipelines), which wait for their turn; what passes
    through the gateway is the caller's, and is not held back. `batches`: the provider has a Batch
    API in OpenAI's shape, which our jobs may use.
    """

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    at_once: int | None = None
    batches: bool = False

    def apply(self, connection: Connection) -> None:
        """Put them into the connection.

        Raises:
            InvalidInput: one is out of range.
        """
        _require_up_to(MOST_A_MINUTE, "Requests a minute", self.requests_per_minute)
        _require_up_to(MOST_A_MINUTE, "Tokens a minute", self.tokens_per_minute)
        _require_up_to(MOST_AT_ONCE, "Calls at once", self.at_once)
        connection.requests_per_minute = self.requests_per_minute
        connection.tokens_per_minute = self.tokens_per_minute
        connection.at_once = self.at_once
        connection.batches = _batches(connection, self.batches)


NO_LIMITS = Limits()


def _batches(connection: Connection, wanted: bool) -> bool:
    if wanted and connection.kind != Connection.Kind.OPENAI_COMPATIBLE:
        raise InvalidInput(
            "Batches: only an OpenAI-compatible connection can have OpenAI's Batch API. Clear the "
            "box, or choose that kind."
        )
    return wanted


def _require_up_to(most: int, what: str, value: int | None) -> None:
    if value is not None and not 1 <= value <= most:
        raise InvalidInput(f"{what}: from 1 to {most:,}, or empty for no limit.")
