"""One call as it came in, and what is known about its course."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from workbench.core.ids import uuid7
from workbench.gateway.capture import Capture
from workbench.gateway.dialects import CHAT, Dialect
from workbench.gateway.labels import Labels
from workbench.gateway.wishes import AS_SET, Wishes
from workbench.providers.refs import Endpoint


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose call it is: a key's project, or somebody in the playground."""

    project_id: int
    key_id: int | None = None
    source: str = "gateway"


@dataclass(slots=True)
class Timing:
    """Moments of one call in seconds of the monotonic clock; 0 is not yet."""

    arrived: float = field(default_factory=time.perf_counter)
    sent: float = 0.0
    answered: float = 0.0
    first_byte: float = 0.0

    def overhead_ms(self) -> float:
        """What we added so far: everything but waiting for the upstream."""
        now = time.perf_counter()
        waited = (self.answered or now) - self.sent if self.sent else 0.0
        return (now - self.arrived - waited) * 1000

    def so_far_ms(self) -> float:
        return (time.perf_counter() - self.arrived) * 1000


@dataclass(slots=True)
class ModelCall:
    """A call and its course; `served_by` is the ref of the fallback that answered it."""

    caller: Caller
    model: str
    body: bytes
    headers: Mapping[bytes, bytes]
    labels: Labels
    dialect: Dialect = CHAT
    wishes: Wishes = AS_SET
    id: UUID = field(default_factory=uuid7)
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    timing: Timing = field(default_factory=Timing)
    endpoint: Endpoint | None = None
    served_by: str = ""
    attempts: int = 0
    capture: Capture = field(default_factory=Capture)
    http_status: int | None = None
    cost: Decimal | None = None
    cache: str = ""
    has_started: bool = False
    logged: asyncio.Future[None] | None = None

    @property
    def target(self) -> Endpoint:
        """Where it goes; only to be asked once that is resolved."""
        if self.endpoint is None:
            raise RuntimeError("The call has not been resolved yet.")
        return self.endpoint

    def own_headers(self) -> list[tuple[bytes, bytes]]:
        headers = [
            (b"x-stillhouse-request-id", str(self.id).encode()),
            (b"x-stillhouse-overhead-ms", b"%.2f" % self.timing.overhead_ms()),
        ]
        if self.endpoint is not None:
            headers.append((b"x-stillhouse-model", self.endpoint.ref.encode("ascii", "replace")))
        if self.cost is not None:
            headers.append((b"x-stillhouse-cost", f"{self.cost:f}".encode()))
        if self.cache:
            headers.append((b"x-stillhouse-cache", self.cache.encode()))
        return headers
