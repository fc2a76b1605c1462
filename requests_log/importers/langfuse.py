"""Langfuse: observations, traces and scores, from its API, its exports (JSON, JSONL, CSV, in
camelCase or snake_case) or its ingestion events.

Generations become calls, other observations and traces spans, scores scores. A first look at the
file collects what traces say of all their observations: user, session, tags, release.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from requests_log.calls import Call, Score, Span
from requests_log.importers import shaping
from requests_log.importers.ids import id_of
from requests_log.importers.records import JSON, BadRecord, Record, to_json
from requests_log.importers.source import (
    Attached,
    Context,
    Format,
    Out,
    left_over,
    present,
    with_rest,
)
from requests_log.importers.values import (
    between,
    boolean,
    labels,
    milliseconds,
    moment,
    nested,
    number,
    objects,
    tags_of,
    text,
    whole,
)

SOURCE = "langfuse"
MOST_TRACES = 200_000
MOST_UPDATE_BYTES = 64 << 20
_CAMEL = re.compile(r"_([a-z])")
_KINDS = {
    "AGENT": "agent", "TOOL": "tool", "CHAIN": "chain", "RETRIEVER": "retriever",
    "EMBEDDING": "embedding", "GUARDRAIL": "guardrail",
}  # fmt: skip
_PARTICULAR = (
    "parentObservationId", "usageDetails", "costDetails", "completionStartTime", "modelParameters",
    "providedModelName", "statusMessage", "observations", "observationId", "htmlPath", "public",
    "bookmarked", "projectId", "dataType", "stringValue", "promptVersion", "modelId",
)  # fmt: skip
_OBSERVATION = (
    "id", "traceId", "type", "name", "startTime", "endTime", "completionStartTime", "model",
    "providedModelName", "modelParameters", "input", "output", "usageDetails", "usage",
    "promptName", "promptVersion", "level", "statusMessage", "parentObservationId", "metadata",
    "environment", "version", "release", "userId", "sessionId", "tags", "promptTokens",
    "completionTokens", "totalTokens", "unit", "createdAt", "updatedAt", "latency",
    "timeToFirstToken", "calculatedTotalCost", "totalCost", "projectId",
)  # fmt: skip
_TRACE = (
    "id", "timestamp", "name", "userId", "sessionId", "release", "version", "tags", "metadata",
    "input", "output", "environment", "observations", "scores", "latency", "createdAt",
    "updatedAt", "projectId",
)  # fmt: skip
Fields = dict[str, JSON]


def _claims(record: Mapping[str, JSON]) -> int:
    kind = record.get("type")
    if isinstance(record.get("body"), dict) and isinstance(kind, str):
        return 4 if kind.endswith(("-create", "-update")) else 0
    found = present(_camel(record), *_PARTICULAR)
    return found if found >= 2 and "id" in record else 0


def _camel(record: Mapping[str, JSON]) -> Fields:
    return {_CAMEL.sub(lambda found: found[1].upper(), name): record[name] for name in record}


def _look(record: Record, context: Context) -> None:
    """Remember what a trace says of its observations, and what events change later."""
    kind, fields = _opened(record.value)
    if kind == "trace":
        traces: dict[str, Fields] = context.memory.setdefault("traces", {})
        name = text(fields.get("id"))
        if name and len(traces) < MOST_TRACES:
            traces[name] = _shared(fields)
    elif kind.endswith("-update"):
        size = context.memory.get("update_bytes", 0) + len(record.raw)
        name = text(fields.get("id"))
        if name and size <= MOST_UPDATE_BYTES:
            context.memory["update_bytes"] = size
            changed = context.memory.setdefault("updates", {}).setdefault(name, {})
            changed.update({field: value for field, value in fields.items() if value is not None})


def _opened(value: Mapping[str, JSON]) -> tuple[str, Fields]:
    """What kind of record it is (trace, score, observation, or an update of one), and its fields
    in camelCase."""
    body, kind = value.get("body"), value.get("type")
    if isinstance(body, dict) and isinstance(kind, str):
        fields = _camel(body)
        what, _, how = kind.partition("-")
        if what in ("trace", "score"):
            return what, {"timestamp": value.get("timestamp")} | fields
        fields.setdefault("type", what.upper())
        fields.setdefault("startTime", value.get("timestamp") if how == "create" else None)
        return ("observation-update" if how == "update" else "observation"), fields
    fields = _camel(value)
    if "startTime" in fields:
        return "observation", fields
    if "dataType" in fields or ("value" in fields and "name" in fields):
        return "score", fields
    return "trace", fields


def _shared(fields: Fields) -> Fields:
    names = ("userId", "sessionId", "release", "environment", "tags")
    return {name: fields[name] for name in names if fields.get(name) not in (None, "", [])}


def _read(record: Record, context: Context) -> list[Out]:
    kind, fields = _opened(record.value)
    if kind == "observation-update":
        if context.memory.get("update_bytes", 0) > MOST_UPDATE_BYTES - len(record.raw):
            raise BadRecord("There are too many update events. Export the observations instead.")
        return []  # merged into the observation that it changes
    return _READERS[kind](fields, context)


def _trace(fields: Fields, context: Context) -> list[Out]:
    name = _id(fields)
    started = context.time(fields.get("timestamp"), "timestamp")
    latency = number(fields.get("latency"))
    people = _people(fields, _shared(fields), name)
    rest = _rest(fields, people["tags"], *_TRACE)
    root = Span(
        project_id=context.project_id,
        id=id_of(f"{SOURCE}/trace", name, started),
        started_at=started,
        name=text(fields.get("name")) or "trace",
        trace_id=name,
        span_id=name,
        duration_ms=None if latency is None else milliseconds(latency * 1000),
        input=_document(fields.get("input")),
        output=_document(fields.get("output")),
        attributes=to_json({"import.source": SOURCE, "import.record": rest}) if rest else None,
        source=SOURCE,
        key_id=context.key_id,
        **people,
    )
    items: list[Out] = [root]
    shared = {"traceId": name} | _shared(fields)
    for inner in _inside(fields, "observations"):
        items += _observation({**shared, **inner}, context, root=name)
    for inner in _inside(fields, "scores"):
        items += _score({"traceId": name, **inner}, context)
    return items


def _inside(fields: Fields, name: str) -> list[Fields]:
    """The observations or scores that a trace's document holds; the API may give ids alone."""
    given = nested(fields.get(name))
    return (
        [_camel(one) for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    )


def _observation(fields: Fields, context: Context, root: str | None = None) -> list[Out]:
    name = _id(fields)
    trace = text(fields.get("traceId")) or name
    traces = context.memory.get("traces", {})
    shared = traces.get(trace, {})
    changed = context.memory.get("updates", {}).get(name, {})
    fields = fields | {key: value for key, value in changed.items() if key != "type"}
    started = context.time(fields.get("startTime"), "startTime")
    ended = moment(fields.get("endTime"), "endTime")
    failed = fields.get("level") == "ERROR"
    common = {
        "project_id": context.project_id,
        "id": id_of(SOURCE, name, started),
        "started_at": started,
        "trace_id": trace,
        "span_id": name,
        "parent_id": text(fields.get("parentObservationId"))
        or root
        or (trace if trace in traces else None),
        "duration_ms": between(started, ended),
        "status": "error" if failed else "ok",
        "error_message": text(fields.get("statusMessage")) if failed else None,
        "prompt_name": text(fields.get("promptName")),
        "prompt_version": whole(fields.get("promptVersion")),
        "source": SOURCE,
        "key_id": context.key_id,
        **_people(fields, shared, name),
    }
    if fields.get("type") == "GENERATION":
        return _call(fields, common)
    return [_span(fields, common)]


def _people(fields: Fields, shared: Fields, name: str) -> dict[str, Any]:
    """Who, where and tagged how: the observation's word, else its trace's."""
    both = shared | _shared(fields)
    metadata = objects(fields.get("metadata"))
    given = {**labels(shared.get("tags")), **labels(fields.get("tags"))}
    return {
        "end_user": text(both.get("userId")),
        "session": text(both.get("sessionId")),
        "environment": text(both.get("environment")),
        "release": text(both.get("release")) or text(fields.get("version")),
        "tags": tags_of({"import.id": name}, given, metadata),
    }


def _span(fields: Fields, common: dict[str, Any]) -> Span:
    rest = _rest(fields, common["tags"], *_OBSERVATION)
    if fields.get("level") not in (None, "DEFAULT", "ERROR"):
        rest["level"] = fields["level"]
    return Span(
        name=text(fields.get("name")) or str(fields.get("type") or "span").lower(),
        kind=_KINDS.get(str(fields.get("type")), "span"),
        input=_document(fields.get("input")),
        output=_document(fields.get("output")),
        attributes=to_json({"import.source": SOURCE, "import.record": rest}) if rest else None,
        **common,
    )


def _call(fields: Fields, common: dict[str, Any]) -> list[Out]:
    model = text(fields.get("model")) or text(fields.get("providedModelName"))
    parameters = objects(fields.get("modelParameters"))
    request = shaping.request_body(
        shaping.Asked(fields.get("input"), model=model, parameters=parameters)
    )
    response = shaping.response_body(
        shaping.Answered(
            fields.get("output"), model=model, usage=_usage(fields), id=common["span_id"]
        )
    )
    first = moment(fields.get("completionStartTime"), "completionStartTime")
    cost = number(fields.get("calculatedTotalCost")) or number(fields.get("totalCost"))
    cost = cost or number(objects(fields.get("costDetails")).get("total"))
    simple = {"name": fields.get("name"), "import.cost": cost}
    common["tags"] = tags_of(common["tags"], simple)
    call = Call(
        request=request.raw,
        response=response.raw if response else None,
        model=model,
        provider=shaping.provider_of(model),
        ttft_ms=between(common["started_at"], first),
        **common,
    )
    rest = _rest(fields, call.tags, *_OBSERVATION)
    if not request.exact:
        rest["input"] = fields["input"]
    if response is not None and not response.exact:
        rest["output"] = fields["output"]
    return list(with_rest(call, SOURCE, rest))


def _rest(fields: Fields, tags: Mapping[str, str], *carried: str) -> dict[str, JSON]:
    """What found no place: unknown fields, and metadata that no tag can hold."""
    metadata = objects(fields.get("metadata"))
    inner = {name: value for name, value in metadata.items() if name not in tags}
    rest = left_over(fields, *carried)
    return rest | ({"metadata": inner} if inner else {})


def _usage(fields: Fields) -> shaping.Usage:
    """Langfuse counts kinds of input and output apart: `input`, `input_cached_tokens`, …"""
    details = objects(fields.get("usageDetails")) or objects(fields.get("usage"))
    counted = {name: count for name, value in details.items() if (count := whole(value))}
    asked = [n for name, n in counted.items() if name.startswith(("input", "cache_", "prompt"))]
    told = [n for name, n in counted.items() if name.startswith(("output", "completion"))]
    cached = next((n for name, n in counted.items() if "cache" in name and "creat" not in name), 0)
    spent = next((n for name, n in counted.items() if "reasoning" in name), 0)
    return shaping.Usage(
        input=sum(asked) if asked else whole(fields.get("promptTokens")),
        output=sum(told) if told else whole(fields.get("completionTokens")),
        cached=cached or None,
        reasoning=spent or None,
    )


def _score(fields: Fields, context: Context) -> list[Out]:
    name = _id(fields)
    trace = text(fields.get("traceId"))
    if trace is None:
        raise BadRecord(
            "This score is of a session or a dataset run. Only scores of traces and observations "
            "are imported."
        )
    at = context.time(fields.get("timestamp") or fields.get("createdAt"), "timestamp")
    label = text(fields.get("name")) or "score"
    score = Score(
        project_id=context.project_id,
        id=id_of(f"{SOURCE}/score", name, at),
        at=at,
        name=label[:200],
        value=(value := _value(fields)),
        data_type="category" if _is_category(fields, value) else None,
        trace_id=trace,
        origin=_origin(fields, label),
        author=text(fields.get("authorUserId")),
        comment=text(fields.get("comment")),
        key_id=context.key_id,
    )
    observation = text(fields.get("observationId"))
    return [Attached(score, observation) if observation else score]


def _is_category(fields: Fields, value: object) -> bool:
    return fields.get("dataType") == "CATEGORICAL" and isinstance(value, str)


def _value(fields: Fields) -> float | bool | str:
    kind, value = fields.get("dataType"), fields.get("value")
    if kind == "BOOLEAN":
        return boolean(value) or value == 1.0
    if kind in ("CATEGORICAL", "TEXT"):
        word = text(fields.get("stringValue")) or text(value)
        if word is not None:
            return word
    found = number(value)
    if found is None:
        word = text(fields.get("stringValue")) or text(value)
        if word is None:
            raise BadRecord("value: the score has none.")
        return word
    return found


def _origin(fields: Fields, name: str) -> str:
    known = {"ANNOTATION": "human", "EVAL": "judge"}
    told = known.get(str(fields.get("source")))
    return told or ("end_user" if "feedback" in name.lower() else "code")


def _id(fields: Fields) -> str:
    name = text(fields.get("id"))
    if name is None:
        raise BadRecord("id: records of Langfuse have one; this one does not.")
    return name


def _document(value: JSON) -> bytes | None:
    return None if value is None or value == "" else to_json(nested(value))


_READERS: dict[str, Callable[[Fields, Context], list[Out]]] = {
    "trace": _trace,
    "observation": _observation,
    "score": _score,
}

LANGFUSE = Format(SOURCE, "Langfuse", _claims, _read, _look)
