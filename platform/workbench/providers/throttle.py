"""Keeping to a provider's limits: how many calls at once, how many a minute, and when to pause.

A limit that is configured is kept as it is. A limit that the provider tells in headers is learned:
no call goes out that could be one too many, whichever of the calls in flight it has counted yet.
A library for rate limits keeps to a rate that is known before; this one has to listen.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from workbench.core.perloop import PerLoop
from workbench.providers.advertised import Advertised, requests_left, tokens_left
from workbench.providers.refs import Endpoint
from workbench.providers.sharing import Limit, Share, share_of

AT_ONCE = 32
MINUTE = 60.0
LONGEST_PAUSE_SECONDS = 300.0
FIRST_ANSWER_SECONDS = 2.0
"""Before an answer told the limits, one call is out; a slow answer does not hold up the rest."""
MOST_REFUNDS = 64
FOREVER = float("inf")

Clock = Callable[[], float]


@dataclass
class Pass:
    """A call that was let through."""

    tokens: float
    # What had been answered when it left: the provider may count what is answered after in any
    # order with it.
    calls_answered: float = 0.0
    tokens_answered: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)
    retry_after: float | None = None
    answered: bool = False
    share: Share | None = None


class Fixed:
    """At most `limit` in any minute: what a call took comes back a minute after its answer."""

    def __init__(self, limit: float, clock: Clock) -> None:
        self.limit = limit
        self._clock = clock
        self._left = limit
        self._coming: deque[tuple[float, float]] = deque()

    def wait(self, amount: float) -> float:
        """Seconds until so much may be taken; what is more than all may go when nothing is out."""
        now = self._clock()
        while self._coming and self._coming[0][0] <= now:
            self._left = min(self._left + self._coming.popleft()[1], self.limit)
        wanted = min(amount, self.limit)
        if self._left >= wanted:
            return 0.0
        return self._coming[0][0] - now if self._coming else FOREVER

    def take(self, amount: float) -> None:
        self._left -= amount

    def give_back(self, amount: float) -> None:
        self._coming.append((self._clock() + MINUTE, amount))


class Learned:
    """A limit known from answers only; without bounds until one told it.

    All amounts are on one axis, the total ever taken. Every answer proves a level up to which it
    is safe to take: what it said remained, less whatever the provider may have counted after it;
    and a higher one once the told time to the reset has passed. Each holds for a fixed window as
    for a bucket that fills steadily, so the highest of them does.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._taken = 0.0
        self._answered = 0.0
        self._level = FOREVER
        self._refunds: list[tuple[float, float]] = []
        self._limit = FOREVER

    @property
    def answered(self) -> float:
        """The total of what was answered."""
        return self._answered

    def wait(self, amount: float) -> float:
        """Seconds until so much may be taken."""
        now = self._clock()
        while self._refunds and self._refunds[0][0] <= now:
            self._level = max(self._level, self._refunds.pop(0)[1])
        wanted = min(amount, self._limit)
        if self._taken + wanted <= self._level or not (self._refunds or self._in_flight):
            return 0.0
        return self._refunds[0][0] - now if self._refunds else FOREVER

    def take(self, amount: float) -> None:
        self._taken += amount

    def learn(self, amount: float, answered_before: float, told: Advertised | None) -> None:
        """A call of this amount was answered; when it left, so much had been answered."""
        overlapping = self._answered - answered_before
        self._answered += amount
        if told is None:
            return
        if told.limit != self._limit:  # the first time, or the provider moved us to another tier
            self._limit, self._level, self._refunds = told.limit, -FOREVER, []
        safe = self._taken + told.remaining - overlapping - self._in_flight
        self._level = max(self._level, safe)
        self._promise(self._clock() + told.reset, safe + told.limit - told.remaining)

    @property
    def _in_flight(self) -> float:
        return self._taken - self._answered

    def _promise(self, due: float, level: float) -> None:
        """Remember a level that will be safe; none that another one makes superfluous."""
        if any(at <= due and higher >= level for at, higher in self._refunds):
            return
        kept = [one for one in self._refunds if one[0] < due or one[1] > level]
        self._refunds = sorted([*kept, (due, level)])
        if len(self._refunds) > MOST_REFUNDS:
            self._refunds = self._refunds[::2]


class Throttle:
    """The limits of one connection, for all calls of this process; any thread may use it."""

    def __init__(
        self,
        *,
        at_once: int | None = None,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        self._lock = threading.Lock()
        self._doors: PerLoop[asyncio.Lock] = PerLoop()
        self._sleepers: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []
        self._clock = clock
        self._in_flight = 0
        self._has_answer = False
        self._last_start = -FOREVER
        self._pause_until = -FOREVER
        self._requests, self._tokens = Learned(clock), Learned(clock)
        self._fixed: tuple[Fixed | None, Fixed | None] = (None, None)
        self.share: Share | None = None
        self.configure(at_once, requests_per_minute, tokens_per_minute)

    def configure(self, at_once: int | None, requests: int | None, tokens: int | None) -> None:
        """Keep to these limits from now on; None is no limit of ours."""
        with self._lock:
            self.at_once = at_once or AT_ONCE
            self._fixed = (
                _fixed(self._fixed[0], requests, self._clock),
                _fixed(self._fixed[1], tokens, self._clock),
            )

    @asynccontextmanager
    async def call(self, tokens: float = 0.0) -> AsyncIterator[Pass]:
        """Wait until a call of about so many tokens may go out. Note on the pass what came back."""
        passed = await self._enter(tokens)
        try:
            yield passed
        finally:
            self._leave(passed)

    async def _enter(self, tokens: float) -> Pass:
        async with self._door():
            while True:
                with self._lock:
                    wait = self._wait(tokens)
                    if wait <= 0 and self.share is None:
                        return self._take(tokens)
                    sleeper = self._sleeper() if wait > 0 else None
                if sleeper is not None:
                    await asyncio.wait([sleeper], timeout=None if wait == FOREVER else wait)
                elif passed := await self._shared(tokens):
                    return passed

    def _sleeper(self) -> asyncio.Future[None]:
        """Is done when a call is over; for who holds the lock."""
        loop = asyncio.get_running_loop()
        sleeper: asyncio.Future[None] = loop.create_future()
        self._sleepers.append((loop, sleeper))
        return sleeper

    async def _shared(self, tokens: float) -> Pass | None:
        """A pass within what all our processes may take together; None after a wait for it."""
        share = self.share
        wait = await share.take(tokens) if share else 0.0
        if wait > 0:
            with self._lock:
                sleeper = self._sleeper()
            await asyncio.wait([sleeper], timeout=wait)
            return None
        with self._lock:
            if self._wait(tokens) <= 0:
                return replace(self._take(tokens), share=share)
        if share is not None:
            share.leave()
        return None

    def _door(self) -> asyncio.Lock:
        """Who is first in the running loop waits in it; the rest queue up in front of it."""
        with self._lock:
            return self._doors.get() or self._doors.put(asyncio.Lock())

    def _wait(self, tokens: float) -> float:
        now = self._clock()
        if self._in_flight >= self.at_once:
            return FOREVER
        first = 0.0
        if not self._has_answer and self._in_flight:
            first = self._last_start + FIRST_ANSWER_SECONDS - now
        requests, total = self._fixed
        return max(
            self._pause_until - now,
            first,
            self._requests.wait(1),
            self._tokens.wait(tokens),
            requests.wait(1) if requests else 0.0,
            total.wait(tokens) if total else 0.0,
        )

    def _take(self, tokens: float) -> Pass:
        self._in_flight += 1
        self._last_start = self._clock()
        passed = Pass(tokens, self._requests.answered, self._tokens.answered)
        for limit, amount in self._limits(tokens):
            limit.take(amount)
        return passed

    def _leave(self, passed: Pass) -> None:
        if passed.share is not None:
            passed.share.leave()
        now = datetime.now(UTC)
        told = requests_left(passed.headers, now=now), tokens_left(passed.headers, now=now)
        with self._lock:
            self._in_flight -= 1
            self._has_answer = self._has_answer or passed.answered
            self._requests.learn(1, passed.calls_answered, told[0])
            self._tokens.learn(passed.tokens, passed.tokens_answered, told[1])
            for fixed, amount in zip(self._fixed, (1, passed.tokens), strict=True):
                if fixed is not None:
                    fixed.give_back(amount)
            if passed.retry_after:
                pause = min(passed.retry_after, LONGEST_PAUSE_SECONDS)
                self._pause_until = max(self._pause_until, self._clock() + pause)
            sleepers, self._sleepers = self._sleepers, []
        for loop, sleeper in sleepers:
            _wake(loop, sleeper)

    def _limits(self, tokens: float) -> list[tuple[Learned | Fixed, float]]:
        every = zip((self._requests, self._tokens, *self._fixed), (1, tokens) * 2, strict=True)
        return [(limit, amount) for limit, amount in every if limit is not None]


_throttles: dict[str, Throttle] = {}
_lock = threading.Lock()


def throttle_of(endpoint: Endpoint) -> Throttle:
    """The throttle of the endpoint's address and key, with the limits its connection has now."""
    account = hashlib.sha256(f"{endpoint.base_url}\n{endpoint.api_key}".encode()).hexdigest()
    with _lock:
        found = _throttles.setdefault(account, Throttle())
    limits = endpoint.at_once, endpoint.requests_per_minute, endpoint.tokens_per_minute
    found.configure(*limits)
    found.share = share_of(account, Limit(*limits))
    return found


def _fixed(now: Fixed | None, limit: int | None, clock: Clock) -> Fixed | None:
    if limit is None:
        return None
    return now if now is not None and now.limit == limit else Fixed(limit, clock)


def _wake(loop: asyncio.AbstractEventLoop, sleeper: asyncio.Future[None]) -> None:
    def wake() -> None:
        if not sleeper.done():
            sleeper.set_result(None)

    try:
        loop.call_soon_threadsafe(wake)
    except RuntimeError:  # its loop ended; nobody waits there
        return
