"""The ledger's lines: written before a call goes out, completed when its answer is there."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from evals.pipelines.models import Call, Run
from evals.pipelines.storing import settle_lines, write_lines
from workbench.core.ids import uuid7
from workbench.providers.chat import ChatReply
from workbench.providers.failures import CallFailed
from workbench.providers.refs import Endpoint


@dataclass(frozen=True, slots=True)
class Line:
    """A call that is about to go out."""

    row_id: int
    step: int
    sample: int
    model: str
    key: bytes
    body: bytes
    reserved: Decimal | None
    id: UUID = field(default_factory=uuid7)


@dataclass(frozen=True, slots=True)
class Settled:
    """How a call ended: with a reply, or with a failure, or with a reply that cannot be used."""

    id: UUID
    reply: ChatReply | None = None
    cost: Decimal | None = None
    problem: CallFailed | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """A call that was answered before. `is_ours`: for this very cell, in a batch of the run; then
    it has its `cost`."""

    id: UUID
    reply: ChatReply
    cost: Decimal | None = None
    is_ours: bool = False


def key_of(endpoint: Endpoint, body: bytes, sample: int) -> bytes:
    """What makes two calls the same: whom is asked, everything that is asked, which sample."""
    place = f"{endpoint.label}\n{endpoint.model}\n{sample}\n".encode()
    return hashlib.sha256(place + body).digest()


def known_answers(project_id: int, keys: Iterable[bytes]) -> dict[bytes, Known]:
    """Answers that a project has already, by key."""
    wanted = list(set(keys))
    if not wanted:
        return {}
    found = Call.objects.filter(project_id=project_id, key__in=wanted, state=Call.State.DONE)
    return {bytes(call.key): Known(call.pk, reply_kept(call)) for call in found.order_by("pk")}


class Ledger:
    """The lines of one run; every method is a statement or two in the caller's transaction."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.project_id = run.pipeline.project_id

    def close_open(self) -> int:
        """Lines whose worker went away before it heard back; returns how many there were."""
        sent = Call.objects.of_run(self.run).filter(state=Call.State.SENT, batch=None)
        return sent.update(state=Call.State.UNKNOWN)

    def known(self, keys: Iterable[bytes]) -> dict[bytes, Known]:
        """Answers the project has already, by key."""
        return known_answers(self.project_id, keys)

    def write(self, lines: Sequence[Line]) -> None:
        """Note what is about to go out."""
        write_lines(self.run.pk, self.project_id, lines)

    def settle(self, settled: Sequence[Settled]) -> None:
        """Note how calls ended."""
        settle_lines([settled_columns(one) for one in settled])


def storable(text: str) -> str:
    """The text without what Postgres cannot keep."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def settled_columns(one: Settled) -> tuple[Any, ...]:
    """What `storing.settle_lines` takes of it."""
    reply, problem = one.reply, one.problem
    state = Call.State.FAILED if problem else Call.State.DONE
    return (
        state.value,
        reply.raw if reply else None,
        msgspec.json.encode(reply.message) if reply else None,
        one.cost,
        reply.input_tokens if reply else None,
        reply.output_tokens if reply else None,
        reply.milliseconds if reply else None,
        storable(reply.request_id) if reply else "",
        problem.kind.value if problem else "",
        storable(problem.sentence) if problem else "",
        one.id,
    )


def reply_kept(call: Call) -> ChatReply:
    """The answer that a line has."""
    return ChatReply(
        msgspec.json.decode(bytes(call.message or b"{}")),
        call.milliseconds or 0.0,
        call.input_tokens,
        call.output_tokens,
        raw=bytes(call.answer or b""),
        request_id=call.provider_request_id,
    )
