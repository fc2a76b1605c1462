"""The wire shapes of events; fields they do not name are ignored."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Raw

from requests_log.encoding import LONG_TEXT_LIMIT, TEXT_LIMIT

MAX_TAGS = 64

Text = Annotated[str, Meta(max_length=TEXT_LIMIT)] | None
Name = Annotated[str, Meta(min_length=1, max_length=TEXT_LIMIT)]
LongText = Annotated[str, Meta(max_length=LONG_TEXT_LIMIT)] | None
Milliseconds = Annotated[float, Meta(ge=0, le=1e10)] | None
Moment = Annotated[datetime, Meta(tz=True)]
TagName = Annotated[str, Meta(min_length=1, max_length=200)]
TagValue = Annotated[str, Meta(max_length=LONG_TEXT_LIMIT)]
Tags = Annotated[dict[TagName, TagValue], Meta(max_length=MAX_TAGS)]
NOTHING = Raw()


class ErrorPart(msgspec.Struct):
    """What went wrong with a call or a step."""

    type: Text = None
    message: str | None = None


class PromptPart(msgspec.Struct):
    """Which prompt version made the call, with the variables that filled it."""

    name: Text = None
    version: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    variables: Raw = NOTHING


class TracePart(msgspec.Struct):
    """Where the call or step lies in a trace."""

    trace_id: Text = None
    span_id: Text = None
    parent_id: Text = None


class _Placed(msgspec.Struct, kw_only=True):
    """What calls and steps share."""

    id: str
    started_at: Moment
    duration_ms: Milliseconds = None
    error: ErrorPart | None = None
    prompt: PromptPart | None = None
    tags: Tags | None = None
    user: LongText = None
    session: LongText = None
    trace: TracePart | None = None
    environment: Text = None
    release: Text = None
    source: Text = None


class RequestEvent(_Placed, kw_only=True, tag_field="type", tag="request"):
    """One LLM call."""

    operation: Literal["chat", "completion", "responses", "embedding"]
    request: Raw
    response: Raw = NOTHING
    status: Literal["ok", "error", "client_closed"] = "ok"
    ttft_ms: Milliseconds = None
    provider: Text = None
    model: Text = None
    http_status: Annotated[int, Meta(ge=100, le=999)] | None = None


class SpanEvent(_Placed, kw_only=True, tag_field="type", tag="span"):
    """A step of a trace that is no call."""

    name: Name
    kind: Literal["span", "agent", "tool", "chain", "retriever", "embedding", "guardrail"] = "span"
    status: Literal["ok", "error"] = "ok"
    input: Raw = NOTHING
    output: Raw = NOTHING
    attributes: Raw = NOTHING


class ScoreEvent(msgspec.Struct, kw_only=True, tag_field="type", tag="score"):
    """A score of one request or of one trace."""

    id: str
    name: Name
    value: bool | float | str
    data_type: Literal["number", "boolean", "category", "text"] | None = None
    request_id: str | None = None
    trace_id: Text = None
    comment: LongText = None
    origin: Literal["end_user", "human", "judge", "code"] = "end_user"
    author: Text = None
    at: Moment | None = None


Event = RequestEvent | SpanEvent | ScoreEvent
SHAPES: tuple[type[msgspec.Struct], ...] = (RequestEvent, SpanEvent, ScoreEvent)
FIELDS = frozenset({"type"}).union(*(shape.__struct_fields__ for shape in SHAPES))
DOCUMENTS = frozenset({"request", "response", "input", "output", "attributes"})
