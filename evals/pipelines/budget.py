"""What a run may spend: calls reserve what they will likely cost before they go out."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from requests_log.digest import prices
from workbench.providers.refs import Endpoint

CHARACTERS_A_TOKEN = 4
BATCH_SHARE = Decimal("0.5")
"""Of the usual price, what providers take for calls in batches."""
LIKELY_OUTPUT = 500
"""Tokens of an answer, where no parameter bounds it and none was seen yet."""


@dataclass
class Budget:
    """Dollars: `limit` of them, of which so many are spent or reserved."""

    limit: Decimal | None
    committed: Decimal = Decimal(0)
    # Calls reserve in the database's thread and settle in the loop's.
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def reserve(self, amount: Decimal | None) -> bool:
        """Set aside what a call will cost; False, and nothing happens, where that is too much."""
        amount = amount or Decimal(0)
        with self._lock:
            if self.limit is not None and self.committed + amount > self.limit:
                return False
            self.committed += amount
        return True

    def settle(self, reserved: Decimal | None, cost: Decimal | None) -> None:
        """A call that had reserved this cost that."""
        with self._lock:
            self.committed += (cost or Decimal(0)) - (reserved or Decimal(0))


def price_of(
    project_id: int,
    endpoint: Endpoint,
    input_tokens: int | None,
    output_tokens: int | None,
    cached_tokens: int | None = None,
) -> Decimal | None:
    """Dollars for a call; None where nobody knows the price. `prices.load` keeps them fresh."""
    # A model of ours is priced by the name people know it by, not by the engine's.
    model = endpoint.label if endpoint.is_engine else endpoint.model
    return prices.cost_of(
        endpoint.provider,
        model,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cached_tokens=cached_tokens,
        project_id=project_id,
    )


def likely_tokens(
    body: bytes, parameters: Mapping[str, Any], *, usual_output: float | None = None
) -> tuple[int, int]:
    """About how many tokens go in and come out of a call."""
    most = parameters.get("max_completion_tokens") or parameters.get("max_tokens")
    bound = int(most) if isinstance(most, int | float) else LIKELY_OUTPUT
    return max(1, len(body) // CHARACTERS_A_TOKEN), round(usual_output or bound)
