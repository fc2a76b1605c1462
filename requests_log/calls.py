"""Calls, spans and scores on their way into the log, and what became of each.

They are msgspec's structs because making a frozen dataclass of thirty fields takes as long as
reading the call it is made of.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

Key = tuple[int, int]
"""Project and id, the id as a number because that hashes and compares fast."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One LLM call to append to the log.

    `id` is a UUIDv7 made where the call was made; it makes appending idempotent. `request`,
    `response` and `variables` are kept byte for byte. Durations are milliseconds. `altered` names
    text fields that had to be changed to be storable as text. Texts may hold anything: `store`
    replaces what Postgres cannot hold.
    """

    project_id: int
    id: UUID
    started_at: datetime
    request: bytes
    operation: str = "chat"
    status: str = "ok"
    response: bytes | None = None
    duration_ms: float | None = None
    ttft_ms: float | None = None
    provider: str | None = None
    model: str | None = None
    http_status: int | None = None
    error_type: str | None = None
    error_message: str | None = None
    prompt_name: str | None = None
    prompt_version: int | None = None
    variables: bytes | None = None
    tags: Mapping[str, str] = msgspec.field(default_factory=dict)
    end_user: str | None = None
    session: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    parent_id: str | None = None
    environment: str | None = None
    release: str | None = None
    source: str | None = None
    key_id: int | None = None
    altered: tuple[str, ...] = ()
    redaction: int = 0

    @property
    def key(self) -> Key:
        """What identifies a call: ids belong to their project."""
        return self.project_id, self.id.int

    @property
    def size(self) -> int:
        """Bytes it takes while it waits, near enough."""
        return len(self.request) + len(self.response or b"") + len(self.variables or b"") + 1024


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A step of a trace that is not itself a call: an agent, a tool, a retrieval.

    `input`, `output` and `attributes` are JSON documents, kept byte for byte. `id` is a UUIDv7
    that makes appending idempotent; `trace_id`, `span_id` and `parent_id` place it in the tree,
    whose parents may arrive later or never.
    """

    project_id: int
    id: UUID
    started_at: datetime
    name: str
    trace_id: str
    span_id: str
    parent_id: str | None = None
    kind: str = "span"
    status: str = "ok"
    duration_ms: float | None = None
    error_type: str | None = None
    error_message: str | None = None
    input: bytes | None = None
    output: bytes | None = None
    attributes: bytes | None = None
    prompt_name: str | None = None
    prompt_version: int | None = None
    tags: Mapping[str, str] = msgspec.field(default_factory=dict)
    end_user: str | None = None
    session: str | None = None
    environment: str | None = None
    release: str | None = None
    source: str | None = None
    key_id: int | None = None
    redaction: int = 0

    @property
    def key(self) -> Key:
        """What identifies a span: ids belong to their project."""
        return self.project_id, self.id.int

    @property
    def size(self) -> int:
        """Bytes it takes while it waits, near enough."""
        documents = (self.input, self.output, self.attributes)
        return sum(len(document or b"") for document in documents) + 1024


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody or something thought of a call or a trace; it may arrive before either.

    Exactly one of `request_id` and `trace_id` is set, and `value` keeps its type: a number, a
    boolean, or a text; `data_type` "category" says that a text is one of a few.
    """

    project_id: int
    id: UUID
    at: datetime
    name: str
    value: float | bool | str
    request_id: UUID | None = None
    trace_id: str | None = None
    origin: str = "end_user"
    author: str | None = None
    comment: str | None = None
    key_id: int | None = None
    redaction: int = 0
    data_type: str | None = None

    @property
    def key(self) -> Key:
        """What identifies a score: ids belong to their project."""
        return self.project_id, self.id.int

    @property
    def size(self) -> int:
        """Bytes it takes while it waits, near enough."""
        return len(self.comment or "") + 1024


Item = Call | Span | Score
"""Whatever can be appended to the log."""


class Verdict(enum.StrEnum):
    """What became of a call."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer for one call; `reason` says why when it was not simply accepted."""

    id: UUID
    verdict: Verdict
    reason: str = ""
