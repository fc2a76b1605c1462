"""Spans as calls and steps of the log. Pure: the same spans always give the same items."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from requests_log.calls import Call, Span
from requests_log.digest.derive import storable
from requests_log.otlp import conventions, rebuilding
from requests_log.otlp.attributes import Given
from requests_log.otlp.reading import Reading
from requests_log.otlp.spans import OtelSpan

logger = logging.getLogger(__name__)

VERSION = 1
"""Raise it when the mapping changes; `remap` then rewrites what older mappings made."""

SOURCE = "otlp"
WRAPPER = "chain"
MOST_TAGS = 64
TAG_NAME = 200
TAG_VALUE = 10_000
LONGEST_PATH = 200
"""Parents that are followed to find whose conversation a span belongs to."""

# They are a step's input and output, and need not be stored twice.
DOCUMENTS = frozenset(
    {
        "input.value",
        "output.value",
        "traceloop.entity.input",
        "traceloop.entity.output",
        "langfuse.observation.input",
        "langfuse.observation.output",
    }
)
Place = tuple[str, str]
"""Trace and span: where something lies."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose spans they are, and by which key they came."""

    project_id: int
    key_id: int | None = None


@dataclass(frozen=True, slots=True)
class Mapped:
    """A span and what it became."""

    span: OtelSpan
    item: Call | Span


def place_of(span: OtelSpan) -> Place:
    return span.trace_id, span.span_id


def map_spans(
    spans: Sequence[OtelSpan], origin: Origin, *, wrapping: Iterable[Place] = ()
) -> list[Mapped]:
    """The calls and steps that spans are, in order.

    `wrapping` are spans around a call that is stored already; see `_one_row_a_call`.
    """
    readings = {place_of(span): _read(span) for span in spans}
    parents = {place_of(span): (span.trace_id, span.parent_id) for span in spans}
    readings = _one_row_a_call(readings, parents, frozenset(wrapping))
    readings = {place: _in_its_conversation(place, readings, parents) for place in readings}
    return [Mapped(span, _item(span, readings[place_of(span)], origin)) for span in spans]


def is_call(span: OtelSpan) -> bool:
    """Whether a span, taken by itself, is a call."""
    return _read(span).is_call


def _read(span: OtelSpan) -> Reading:
    """What a span says; one that no convention can read is a step, and keeps its attributes."""
    try:
        return conventions.read(Given(span))
    except Exception:
        logger.exception("A span could not be read as a call")
        return Reading()


def _one_row_a_call(
    readings: Mapping[Place, Reading], parents: Mapping[Place, Place], wrapping: frozenset[Place]
) -> dict[Place, Reading]:
    """The readings with one call for each that was made.

    Frameworks record a call, and inside it the client's instrumentation records it again. The
    inner one is the call, because it is what went over the wire, and gets what only the outer one
    knows; but when just the outer one has the messages, the outer one is the call.
    """
    settled = dict(readings)
    for place in wrapping & settled.keys():
        settled[place] = _as_step(settled[place])
    for place, parent in parents.items():
        inner, outer = readings[place], readings.get(parent)
        if outer is None or not _same_call(inner, outer):
            continue
        if outer.has_content and not inner.has_content:
            settled[place] = _as_step(inner)
        else:
            settled[parent] = _as_step(outer)
            settled[place] = _with_what_is_around(settled[place], outer)
    return settled


def _same_call(inner: Reading, outer: Reading) -> bool:
    if not (inner.is_call and outer.is_call):
        return False
    return (inner.operation == "embedding") == (outer.operation == "embedding")


def _as_step(reading: Reading) -> Reading:
    return replace(reading, kind=WRAPPER)


def _with_what_is_around(inner: Reading, outer: Reading) -> Reading:
    return replace(
        inner,
        prompt_name=inner.prompt_name or outer.prompt_name,
        prompt_version=inner.prompt_version or outer.prompt_version,
        variables=inner.variables if inner.variables is not None else outer.variables,
        tags={**outer.tags, **inner.tags},
    )


def _in_its_conversation(
    place: Place, readings: Mapping[Place, Reading], parents: Mapping[Place, Place]
) -> Reading:
    """The reading with the user and the session of the nearest span around it that names them."""
    reading = readings[place]
    end_user, session = reading.end_user, reading.session
    for _ in range(LONGEST_PATH):
        if end_user and session:
            break
        place = parents.get(place, ("", ""))
        around = readings.get(place)
        if around is None:
            break
        end_user, session = end_user or around.end_user, session or around.session
    if (end_user, session) == (reading.end_user, reading.session):
        return reading
    return replace(reading, end_user=end_user, session=session)


def _item(span: OtelSpan, reading: Reading, origin: Origin) -> Call | Span:
    try:
        return _made(span, reading, origin)
    except Exception:
        logger.exception("A span could not be rebuilt as what it says it is")
        return _made(span, Reading(), origin)


def _made(span: OtelSpan, reading: Reading, origin: Origin) -> Call | Span:
    shared = _shared(span, reading, origin)
    if reading.is_call:
        return _call(span, reading, shared)
    return _step(span, reading, shared)


def _shared(span: OtelSpan, reading: Reading, origin: Origin) -> dict[str, Any]:
    """The fields that calls and steps have in common."""
    version = _version(reading.prompt_version)
    error_type, error_message = _error(span, reading)
    return {
        "project_id": origin.project_id,
        "key_id": origin.key_id,
        "id": span.id,
        "started_at": span.started_at,
        "duration_ms": span.duration_ms,
        "status": "error" if span.is_error or reading.error_message else "ok",
        "error_type": error_type,
        "error_message": error_message,
        "prompt_name": reading.prompt_name,
        "prompt_version": version,
        "tags": _tags(reading, version),
        "end_user": reading.end_user,
        "session": reading.session,
        "trace_id": span.trace_id,
        "span_id": span.span_id,
        "parent_id": span.parent_id or None,
        "environment": reading.environment,
        "release": reading.release,
        "source": SOURCE,
    }


def _call(span: OtelSpan, reading: Reading, shared: dict[str, Any]) -> Call:
    operation = reading.operation or "chat"
    variables = reading.variables
    return Call(
        **shared,
        operation=operation,
        request=rebuilding.request_body(reading, operation),
        response=rebuilding.response_body(reading, operation),
        variables=rebuilding.encoded(variables) if isinstance(variables, dict) else None,
        ttft_ms=reading.ttft_ms,
        provider=None if reading.provider is None else reading.provider.lower(),
        model=reading.model or reading.model_used,
        http_status=_http_status(span),
        altered=("tags",) if len(reading.tags) > MOST_TAGS else (),
    )


def _step(span: OtelSpan, reading: Reading, shared: dict[str, Any]) -> Span:
    given = Given(span)
    attributes = given.attributes
    asked, answered = _documents(given)
    kept = {name: attributes[name] for name in sorted(attributes.keys() - DOCUMENTS)}
    return Span(
        **shared,
        name=span.name or "(no name)",
        kind=reading.kind or "span",
        input=_json(asked),
        output=_json(answered),
        attributes=_json(kept or None),
    )


def _documents(given: Given) -> tuple[Any, Any]:
    try:
        return conventions.documents(given)
    except Exception:
        logger.exception("Input and output of a step could not be read")
        return None, None


def _json(value: Any) -> bytes | None:
    return None if value is None else msgspec.json.encode(storable(value))


def _version(text: str | None) -> int | None:
    """A version that is a whole number; others become a tag."""
    whole = text is not None and text.isascii() and text.isdigit() and len(text) < 10
    return int(text) if whole and text is not None else None


def _tags(reading: Reading, version: int | None) -> dict[str, str]:
    tags = {name[:TAG_NAME]: text[:TAG_VALUE] for name, text in reading.tags.items() if name}
    if reading.prompt_version is not None and version is None:
        tags["prompt_version"] = reading.prompt_version[:TAG_VALUE]
    return dict(list(tags.items())[:MOST_TAGS])


def _error(span: OtelSpan, reading: Reading) -> tuple[str | None, str | None]:
    """Type and message of what went wrong; nothing when all went well."""
    if not span.is_error and reading.error_message is None:
        return None, None
    raised = [event.attributes for event in span.events if event.name == "exception"]
    told = raised[-1] if raised else {}
    kind = span.attributes.get("error.type") or told.get("exception.type")
    message = span.status_message or reading.error_message or told.get("exception.message")
    return _class_name(kind), message if isinstance(message, str) and message else None


def _class_name(kind: Any) -> str | None:
    """`<class 'openai.BadRequestError'>`, as one instrumentation writes it, without the frame."""
    if not isinstance(kind, str) or not kind:
        return None
    return kind.removeprefix("<class '").removesuffix("'>")


def _http_status(span: OtelSpan) -> int | None:
    names = ("http.response.status_code", "http.status_code", "error.type")
    for name in names:
        text = str(span.attributes.get(name, ""))
        if len(text) == 3 and text.isascii() and text.isdigit() and text >= "100":
            return int(text)
    return None
