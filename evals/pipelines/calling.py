"""Asking models for a run: every call through the ledger and the budget, failures tried again.

Here calls queue up for a line in the ledger and go out once it is committed. The database is in
another thread (see `scheduling`): `settle` and `admit` belong there, all else to the loop's.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol
from uuid import UUID

import msgspec

from evals.pipelines.budget import BATCH_SHARE, Budget, likely_tokens, price_of
from evals.pipelines.ledger import Known, Ledger, Line, Settled, key_of
from evals.pipelines.steps.base import Question
from workbench.core.errors import DomainError
from workbench.providers.chat import ChatCaller, ChatReply, wait_before_retry
from workbench.providers.failures import CallFailed, Kind
from workbench.providers.refs import Endpoint
from workbench.providers.throttle import throttle_of

TRIES = 8
UNFIT_TRIES = 3
"""Each of these was paid for, and a model that misses the form thrice will miss it again."""
LONGEST_RETRY_SECONDS = 600.0
AHEAD, MOST_AHEAD = 16, 256
FAILURES_IN_A_ROW = 20
WEIGHTS = {Kind.AUTH: 5, Kind.QUOTA: 5, Kind.CONTEXT_LENGTH: 0, Kind.CONTENT_FILTER: 0}
"""How much a failure says that all others will fail too."""


class Stopped(Exception):
    """The run asks nobody any more; the cell stays as it is."""


class InBatch(Stopped):
    """The call goes out, or went out, with a batch; the run comes back when that is answered."""


class FailedBefore(CallFailed):
    """A batch brought this failure, of which the ledger has the whole sentence."""

    def __init__(self, sentence: str, *, kind: Kind) -> None:
        super().__init__(sentence, kind=kind)
        self.sentence = sentence


class NotWorking(DomainError):
    """So many calls failed, one after the other, that the rest would fail too."""

    code = "not_working"
    status = 502


@dataclass(frozen=True)
class Answered:
    """A reply, the ledger's line it comes from, and what it cost now (nothing if it is reused)."""

    reply: ChatReply
    call: UUID
    cost: Decimal | None = None
    is_reused: bool = False


@dataclass
class Waiting:
    """A call that waits for its line; the future gives the answer if it is known, else None."""

    line: Line
    reuse: bool
    future: asyncio.Future[Known | None]


@dataclass(frozen=True)
class Ruling:
    """What becomes of a call that waited: it goes out, or its answer is known, or it must not."""

    waiting: Waiting
    known: Known | None = None
    problem: Exception | None = None
    is_collected: bool = False

    @property
    def goes_out(self) -> bool:
        return self.known is None and self.problem is None

    def tell(self) -> None:
        """Tell who waits for it."""
        future = self.waiting.future
        if future.done():
            return
        if self.problem is not None:
            future.set_exception(self.problem)
        else:
            future.set_result(self.known)


@dataclass(frozen=True)
class Ended:
    """How a call ended, and its line."""

    settled: Settled
    line: Line


class Gate:
    """Lets in what may be out at once, and those that are ready to follow.

    Lines of calls that cannot go out yet would be taken for sent when the worker dies, so that few
    are ready at a slow provider; at a quick one as many as go out between two transactions.
    """

    def __init__(self, at_once: int) -> None:
        self._at_once, self._ahead = at_once, AHEAD
        self._inside = self._passed = 0
        self._queue: deque[asyncio.Future[None]] = deque()

    async def __aenter__(self) -> None:
        if self._queue or self._inside >= self._at_once + self._ahead:
            place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._queue.append(place)
            try:
                await place
            except asyncio.CancelledError:
                if place.done() and not place.cancelled():
                    self._inside -= 1
                raise
            return
        self._inside += 1

    async def __aexit__(self, *_: object) -> None:
        self._inside -= 1
        self._passed += 1
        self._let_in()

    def adapt(self, at_once: int) -> None:
        """A transaction was committed: be ready for as many as passed since the last one."""
        self._at_once = at_once
        self._ahead = min(MOST_AHEAD, max(AHEAD, self._passed, self._ahead // 2))
        self._passed = 0
        self._let_in()

    def _let_in(self) -> None:
        while self._queue and self._inside < self._at_once + self._ahead:
            place = self._queue.popleft()
            if not place.done():
                self._inside += 1
                place.set_result(None)


@dataclass(frozen=True)
class BatchTold:
    """What a run's batches tell of a call of theirs: its answer, or why it gets none now (it is
    out, or failed for good); or that it is to be collected. None of that: it is asked by itself."""

    known: Known | None = None
    problem: Exception | None = None
    collects: bool = False


class Batching(Protocol):
    """Collects calls of models that are asked in batches; both methods in a transaction."""

    @property
    def refs(self) -> Collection[str]:
        """The models it is for."""

    def told_of(self, waiting: Sequence[Waiting]) -> Mapping[UUID, BatchTold]:
        """By line; nothing of calls that go out by themselves."""

    def collect(self, lines: Sequence[Line]) -> None:
        """Write the lines of a batch that goes out later."""


@dataclass
class CellAsker:
    """Asks on behalf of one cell, and remembers what for."""

    desk: Desk
    row_id: int
    step: int
    answers: list[Answered] = field(default_factory=list)

    async def ask(self, question: Question) -> ChatReply:
        answered = await self.desk.ask(question, row_id=self.row_id, step=self.step)
        self.answers.append(answered)
        return answered.reply


class Desk:
    """Where all calls of a run pass. `endpoints` are those of the model refs; `batching` collects
    calls of models that are asked in batches."""

    def __init__(
        self,
        ledger: Ledger,
        budget: Budget,
        endpoints: Mapping[str, Endpoint],
        dirty: asyncio.Event,
        batching: Batching | None = None,
    ) -> None:
        self.ledger, self.budget, self.endpoints = ledger, budget, dict(endpoints)
        self._batching = batching
        self.stopping: Exception | None = None
        self.tasks: set[asyncio.Task[Answered]] = set()
        self._dirty = dirty
        self._stop = asyncio.Event()
        self._waiting: list[Waiting] = []
        self._ended: list[Ended] = []
        self._shared: dict[bytes, asyncio.Task[Answered]] = {}
        self._callers: dict[tuple[str, float], ChatCaller] = {}
        self._gates: dict[str, tuple[Gate, Endpoint]] = {}
        self._open = AsyncExitStack()
        self._failures = 0
        self._usual: dict[str, float] = {}

    async def close(self) -> None:
        """Close the connections to providers."""
        await self._open.aclose()

    async def ask(self, question: Question, *, row_id: int, step: int) -> Answered:
        """The answer to a question; who asks the same meanwhile waits for the same answer.

        Raises:
            CallFailed: it failed for good, or too often.
            Stopped: the run stops.
        """
        caller = await self._caller(question)
        body = caller.body_of(question.messages, **question.parameters)
        content = msgspec.json.encode(body)
        key = key_of(caller.endpoint, content, question.sample)
        if question.reuse and key in self._shared:
            first = await asyncio.shield(self._shared[key])
            return Answered(first.reply, first.call, None, is_reused=True)
        line = Line(
            row_id, step, question.sample, question.model, key, content,
            self._likely_cost(question, caller.endpoint, content),
        )  # fmt: skip
        task = asyncio.ensure_future(self._answer(question, caller, body, line))
        self.tasks.add(task)
        task.add_done_callback(self._done)
        if question.reuse:
            self._shared[key] = task
            task.add_done_callback(lambda _: self._shared.pop(key, None))
        return await asyncio.shield(task)

    def stop(self, why: Exception) -> None:
        """Send out nothing more; what is out is waited for."""
        if self.stopping is None:
            self.stopping = why
            self._stop.set()
            self._dirty.set()

    @property
    def has_work(self) -> bool:
        """Whether there is something to write."""
        return bool(self._waiting or self._ended)

    def take(self) -> tuple[list[Ended], list[Waiting]]:
        """What there is to write: calls that ended, and calls that want a line."""
        ended, self._ended = self._ended, []
        waiting, self._waiting = self._waiting, []
        return ended, waiting

    def settle(self, ended: Sequence[Ended]) -> None:
        """Write down how calls ended; in a transaction."""
        self.ledger.settle([one.settled for one in ended])

    def admit(self, waiting: Sequence[Waiting]) -> list[Ruling]:
        """Write the lines of calls that wait, or find their answers; in a transaction.

        Give the result to `release` once it is committed.
        """
        known = self.ledger.known(one.line.key for one in waiting if one.reuse)
        told = self._batching.told_of(waiting) if self._batching else {}
        rulings = [self._ruled(one, known, told.get(one.line.id)) for one in waiting]
        self.ledger.write([one.waiting.line for one in rulings if one.goes_out])
        if self._batching:
            self._batching.collect([one.waiting.line for one in rulings if one.is_collected])
        return rulings

    def release(self, rulings: Sequence[Ruling]) -> None:
        """Let them go."""
        for gate, endpoint in self._gates.values():
            gate.adapt(throttle_of(endpoint).at_once)
        for one in rulings:
            if isinstance(one.problem, OutOfBudget):
                self.stop(OutOfBudget())
            one.tell()

    def _ruled(self, one: Waiting, known: Mapping[bytes, Known], told: BatchTold | None) -> Ruling:
        if told is not None and told.known is not None:
            return Ruling(one, told.known)
        answer = known.get(one.line.key) if one.reuse else None
        if answer is not None:
            return Ruling(one, answer)
        if told is not None and told.problem is not None:
            return Ruling(one, problem=told.problem)
        if self.stopping is not None:
            return Ruling(one, problem=Stopped())
        if not self.budget.reserve(one.line.reserved):
            return Ruling(one, problem=OutOfBudget())
        if told is not None and told.collects:
            return Ruling(one, problem=InBatch(), is_collected=True)
        return Ruling(one)

    async def _answer(
        self, question: Question, caller: ChatCaller, body: dict[str, object], line: Line
    ) -> Answered:
        unfit = 0
        for attempt in range(TRIES):
            if attempt:
                line = Line(
                    line.row_id, line.step, line.sample, line.model, line.key, line.body,
                    line.reserved,
                )  # fmt: skip
            try:
                async with self._gate(caller.endpoint):
                    known = await self._admitted(line, reuse=question.reuse)
                    if known is not None:
                        return self._taken(question, line, known)
                    return await self._send(question, caller, body, line)
            except CallFailed as problem:
                unfit += problem.kind is Kind.UNFIT
                is_last = attempt == TRIES - 1 or unfit == UNFIT_TRIES
                if is_last or not self._is_worth_retrying(problem):
                    if not isinstance(problem, FailedBefore):
                        self._count(problem)
                    raise
                if problem.kind is not Kind.UNFIT:  # a wait makes no answer fit
                    await self._pause(wait_before_retry(problem, attempt))
        raise AssertionError("unreachable: the last try returns or raises")

    def _gate(self, endpoint: Endpoint) -> Gate:
        if endpoint.label not in self._gates:
            self._gates[endpoint.label] = Gate(throttle_of(endpoint).at_once), endpoint
        return self._gates[endpoint.label][0]

    async def _admitted(self, line: Line, *, reuse: bool) -> Known | None:
        if self.stopping is not None:
            raise Stopped
        future: asyncio.Future[Known | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(Waiting(line, reuse, future))
        self._dirty.set()
        return await future

    def _taken(self, question: Question, line: Line, known: Known) -> Answered:
        """An answer that was there; one of this run's batches is looked at as if it came now."""
        if not known.is_ours:
            return Answered(known.reply, known.id, is_reused=True)
        if question.check is not None:
            try:
                question.check(known.reply)
            except CallFailed as problem:
                failed = Settled(known.id, known.reply, known.cost, problem)
                self._ended.append(Ended(failed, line))
                raise
        return Answered(known.reply, known.id, known.cost)

    async def _send(
        self, question: Question, caller: ChatCaller, body: dict[str, object], line: Line
    ) -> Answered:
        reply: ChatReply | None = None
        try:
            reply = await caller.send(body)
            if question.check is not None:
                question.check(reply)
        except CallFailed as problem:
            self._settle(line, caller.endpoint, reply, problem)
            raise
        cost = self._settle(line, caller.endpoint, reply, None)
        self._failures = 0
        if reply.output_tokens is not None:
            before = self._usual.get(question.model, float(reply.output_tokens))
            self._usual[question.model] = 0.9 * before + 0.1 * reply.output_tokens
        return Answered(reply, line.id, cost)

    def _settle(
        self, line: Line, endpoint: Endpoint, reply: ChatReply | None, problem: CallFailed | None
    ) -> Decimal | None:
        cost = None
        if reply is not None:
            counted = reply.input_tokens, reply.output_tokens, reply.cached_tokens
            cost = price_of(self.ledger.project_id, endpoint, *counted)
        self.budget.settle(line.reserved, cost)
        self._ended.append(Ended(Settled(line.id, reply, cost, problem), line))
        self._dirty.set()
        return cost

    def _count(self, problem: CallFailed) -> None:
        self._failures += WEIGHTS.get(problem.kind, 1)
        if self._failures >= FAILURES_IN_A_ROW:
            self.stop(NotWorking(f"Stopped, as one call after the other failed. {problem}"))

    def _is_worth_retrying(self, problem: CallFailed) -> bool:
        return problem.is_passing and (problem.retry_after or 0) <= LONGEST_RETRY_SECONDS

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        except TimeoutError:
            return

    async def _caller(self, question: Question) -> ChatCaller:
        wanted = question.model, question.seconds
        if wanted not in self._callers:
            caller = ChatCaller(self.endpoints[question.model], seconds=question.seconds)
            self._callers[wanted] = caller
            await self._open.enter_async_context(caller)
        return self._callers[wanted]

    def renew(self, ref: str, endpoint: Endpoint) -> None:
        """The endpoint of a ref as it is now."""
        self.endpoints[ref] = endpoint
        for (model, _), caller in self._callers.items():
            if model == ref:
                caller.endpoint = endpoint

    def _likely_cost(self, question: Question, endpoint: Endpoint, body: bytes) -> Decimal | None:
        usual = self._usual.get(question.model)
        tokens = likely_tokens(body, question.parameters, usual_output=usual)
        price = price_of(self.ledger.project_id, endpoint, *tokens)
        if price is not None and self._batching and question.model in self._batching.refs:
            return price * BATCH_SHARE
        return price

    def _done(self, task: asyncio.Task[Answered]) -> None:
        self.tasks.discard(task)
        if not task.cancelled():
            task.exception()  # whoever asked was told; nobody may be left to ask


class OutOfBudget(Stopped):
    """The next call would cost more than is left."""
