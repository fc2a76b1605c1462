"""What may be asked for: the fields of the query language. Nothing else is reachable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

from django.db.models import BigIntegerField, F, Q, Value
from django.db.models.functions import Cast, Coalesce

from requests_log.models import Operation, Status
from requests_log.search import conditions
from requests_log.search.conditions import BadValue, Condition
from requests_log.search.tree import EQUAL, PREFIX, Operand, Term


class Kind(Enum):
    """What a field's values are; `operators` are what may stand before a value."""

    TEXT = "text", ()
    CHOICE = "one of a few", ()
    NUMBER = "number", (">", ">=", "<", "<=")
    DURATION = "duration", (">", ">=", "<", "<=")
    TIME = "age or date", ()
    SCORE = "score", (">", ">=", "<", "<=")
    PRESENCE = "field", ()

    def __init__(self, label: str, operators: tuple[str, ...]) -> None:
        self.label = label
        self.operators = operators


@dataclass(frozen=True)
class Field:
    """A field people may ask for: how its terms become a condition, and what help says of it."""

    name: str
    kind: Kind
    help: str
    example: str
    condition: Condition
    column: str = ""
    """Where its values are counted, for completion; "" where there is nothing to offer."""
    choices: tuple[str, ...] = ()
    is_keyed: bool = False
    """Whether a name stands behind a dot: `tag.route`."""
    combines: bool = True
    """Whether several terms are alternatives, as a request has one value; else all must hold."""
    present: Callable[[], Q] | None = None
    """What `has:` asks for."""


def _text(name: str, summary: str, example: str, column: str = "") -> Field:
    column = column or name
    condition = conditions.text(column)
    return Field(name, Kind.TEXT, summary, example, condition, column, present=_there(column))


def _long(name: str, summary: str, example: str, column: str) -> Field:
    condition = conditions.long_text(column)
    return Field(name, Kind.TEXT, summary, example, condition, column, present=_there(column))


def _choice(name: str, summary: str, example: str, choices: list[str]) -> Field:
    condition = conditions.choice(name, choices)
    return Field(name, Kind.CHOICE, summary, example, condition, name, tuple(choices))


def _count(name: str, summary: str, example: str, column: str) -> Field:
    return Field(
        name,
        Kind.NUMBER,
        summary,
        example,
        conditions.number(F(column)),
        combines=False,
        present=_there(column),
    )


def _span(name: str, summary: str, example: str, column: str) -> Field:
    return Field(
        name,
        Kind.DURATION,
        summary,
        example,
        conditions.span(column),
        combines=False,
        present=_there(column),
    )


def _there(column: str) -> Callable[[], Q]:
    return lambda: Q(**{f"{column}__isnull": False})


_ALL_TOKENS = Cast(F("input_tokens"), BigIntegerField()) + Coalesce(F("output_tokens"), Value(0))
MORE_TO_HAVE: Mapping[str, Callable[[], Q]] = {
    "answer": _there("output_preview"),
    "tools": _there("tools"),
    "comment": conditions.commented,
    "correction": conditions.corrected,
}
"""What `has:` knows beside the fields."""


def _has(operand: Operand, term: Term) -> Q:
    name, _, key = operand.value.partition(".")
    field = FIELDS.get(name.lower())
    if operand.op != EQUAL:
        raise BadValue("Write what must be there, such as has:error or has:tag.route.")
    if key and field is not None and field.is_keyed:
        anything = Term(field.name, (Operand("", PREFIX),), key)
        return field.condition(anything, _NO_MATTER)
    present = field.present if field is not None else MORE_TO_HAVE.get(name.lower())
    if present is None or key:
        raise BadValue(
            f"“{operand.value}” cannot be asked for. Use one of: {', '.join(havable())}."
        )
    return present()


def havable() -> list[str]:
    """What `has:` takes."""
    return sorted([*(f.name for f in FIELDS.values() if f.present is not None), *MORE_TO_HAVE])


_NO_MATTER = datetime(1970, 1, 1, tzinfo=UTC)
"""Presence does not depend on the time of asking."""
FIELDS: Mapping[str, Field] = {
    field.name: field
    for field in (
        _text("model", "model asked for", "model:gpt-4.1*"),
        Field(
            "prompt",
            Kind.TEXT,
            "prompt, with its version if you like",
            "prompt:triage@3",
            conditions.any_of(conditions.prompt),
            "prompt",
            present=_there("prompt_name"),
        ),
        _choice("status", "ok, error or client_closed", "-status:ok", Status.values),
        Field(
            "tag",
            Kind.TEXT,
            "a tag's value",
            "tag.route:checkout",
            conditions.any_of(conditions.tag),
            "tag",
            is_keyed=True,
            present=lambda: Q(tags__isnull=False) & ~Q(tags={}),
        ),
        Field(
            "score",
            Kind.SCORE,
            "a score of the request or its trace",
            "score.helpful:<0.5",
            conditions.any_of(conditions.score),
            "score",
            is_keyed=True,
            combines=False,
            present=conditions.scored,
        ),
        Field(
            "has",
            Kind.PRESENCE,
            "what is there at all",
            "-has:prompt",
            conditions.any_of(_has),
            combines=False,
        ),
        _long("user", "your user's id", "user:u1", "end_user"),
        _long("session", "session", "session:s1", "session"),
        _text("source", "where it was logged", "source:gateway"),
        _text("provider", "provider", "provider:openai,anthropic"),
        _text("environment", "environment", "environment:production"),
        _text("release", "your release", "release:1.2*"),
        _choice("operation", "kind of call", "operation:chat", Operation.values),
        _text("trace", "trace id", "trace:4bf92f", "trace_id"),
        Field(
            "error",
            Kind.TEXT,
            "type of error",
            "error:rate_limit*",
            conditions.text("error_type"),
            "error_type",
            # The status has an index of its own.
            present=lambda: Q(status=Status.ERROR.value),
        ),
        _text("finish", "finish reason", "finish:length", "finish_reason"),
        _text("answered_by", "model that answered", "answered_by:gpt-4.1*", "model_used"),
        Field(
            "id",
            Kind.TEXT,
            "the request's id",
            "id:01936b8f-0000-7000-8000-000000000000",
            conditions.any_of(conditions.identity),
        ),
        _count("http", "HTTP status", "http:>=500", "http_status"),
        Field(
            "tokens",
            Kind.NUMBER,
            "tokens in and out",
            "tokens:100..2000",
            conditions.number(_ALL_TOKENS),
            combines=False,
            present=_there("input_tokens"),
        ),
        _count("tokens_in", "tokens in", "tokens_in:>1000", "input_tokens"),
        _count("tokens_out", "tokens out", "tokens_out:<5", "output_tokens"),
        _count("cost", "US dollars", "cost:0.01..0.5", "cost"),
        _span("duration", "time it took", "duration:>2s", "duration_ms"),
        _span("ttft", "time to first token", "ttft:>500ms", "ttft_ms"),
        Field("since", Kind.TIME, "from then on", "since:7d", conditions.since, combines=False),
        Field(
            "until", Kind.TIME, "before then", "until:2026-11-20", conditions.until, combines=False
        ),
    )
}
