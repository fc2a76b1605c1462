"""LangSmith: runs. Those of type `llm` become calls, the others spans; feedback becomes scores."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from requests_log.calls import Call, Score, Span
from requests_log.importers import shaping
from requests_log.importers.ids import id_of
from requests_log.importers.records import JSON, BadRecord, Record, to_json
from requests_log.importers.source import Context, Format, Out, left_over, present, with_rest
from requests_log.importers.values import (
    between,
    first,
    labels,
    moment,
    nested,
    number,
    objects,
    tags_of,
    text,
    whole,
)

SOURCE = "langsmith"
_CARRIED = (
    "id", "trace_id", "parent_run_id", "name", "run_type", "start_time", "end_time", "error",
    "first_token_time", "tags", "status", "prompt_tokens", "completion_tokens", "total_tokens",
    "dotted_order", "feedback_stats",
)  # fmt: skip
_THREADS = ("session_id", "thread_id", "conversation_id")
_KINDS = {"chain": "chain", "tool": "tool", "retriever": "retriever", "embedding": "embedding"}


def _claims(record: Mapping[str, JSON]) -> int:
    names = ("run_type", "dotted_order", "parent_run_id", "start_time", "inputs", "trace_id")
    return present(record, *names) if "run_type" in record else 0


def _read(record: Record, context: Context) -> list[Out]:
    value = record.value
    run_id = text(value.get("id"))
    if run_id is None:
        raise BadRecord("id: a run has one; this one does not.")
    started = context.time(value.get("start_time"), "start_time")
    common = _common(value, run_id, started, context)
    if value.get("run_type") == "llm":
        call, rest = _call(value, run_id, common)
        return [*with_rest(call, SOURCE, rest), *_scores(value, call, context)]
    span = _span(value, common)
    return [span, *_scores(value, span, context)]


def _common(
    value: Mapping[str, JSON], run_id: str, started: datetime, context: Context
) -> dict[str, Any]:
    """What calls and spans have alike."""
    metadata = _metadata(value)
    error = text(value.get("error"))
    return {
        "project_id": context.project_id,
        "id": id_of(SOURCE, run_id, started),
        "started_at": started,
        "trace_id": text(value.get("trace_id")) or run_id,
        "span_id": run_id,
        "parent_id": text(value.get("parent_run_id")),
        "duration_ms": between(started, moment(value.get("end_time"), "end_time")),
        "status": "error" if error or value.get("status") == "error" else "ok",
        "error_message": error,
        "session": text(first(metadata, *_THREADS)),
        "end_user": text(first(metadata, "user_id", "user")),
        "environment": text(first(metadata, "environment", "env")),
        "release": text(first(metadata, "release", "revision_id")),
        "tags": tags_of({"import.id": run_id}, labels(value.get("tags")), _simple(metadata)),
        "source": SOURCE,
        "key_id": context.key_id,
    }


def _metadata(value: Mapping[str, JSON]) -> dict[str, JSON]:
    return objects(objects(value.get("extra")).get("metadata"))


def _simple(metadata: Mapping[str, JSON]) -> dict[str, JSON]:
    """Metadata that people set, without what LangSmith's own integrations add."""
    known = {*_THREADS, "user_id", "user", "environment", "env", "release", "revision_id"}
    return {
        name: value
        for name, value in metadata.items()
        if name not in known and not name.startswith(("ls_", "langgraph_", "__"))
    }


def _span(value: Mapping[str, JSON], common: dict[str, Any]) -> Span:
    inputs, outputs = value.get("inputs"), value.get("outputs")
    rest = left_over(value, *_CARRIED, "inputs", "outputs")
    return Span(
        name=text(value.get("name")) or text(value.get("run_type")) or "run",
        kind=_KINDS.get(str(value.get("run_type")), "span"),
        input=None if inputs is None else to_json(nested(inputs)),
        output=None if outputs is None else to_json(nested(outputs)),
        attributes=to_json({"import.source": SOURCE, "import.record": rest}) if rest else None,
        **common,
    )


def _call(
    value: Mapping[str, JSON], run_id: str, common: dict[str, Any]
) -> tuple[Call, dict[str, JSON]]:
    """The call of a run, and what of the run found no place in it."""
    extra, metadata = objects(value.get("extra")), _metadata(value)
    parameters = dict(objects(extra.get("invocation_params")))
    model = text(first(parameters, "model", "model_name")) or text(metadata.get("ls_model_name"))
    asked = objects(value.get("inputs"))
    known = {name: parameters[name] for name in sorted(shaping.PARAMETERS & parameters.keys())}
    request = shaping.request_body(
        shaping.Asked(_input(asked), model=text(asked.get("model")) or model, parameters=known)
    )
    answer, used, finish = _output(objects(value.get("outputs")))
    response = shaping.response_body(
        shaping.Answered(
            answer, model=model, usage=_usage(value, used), finish_reason=finish, id=run_id
        )
    )
    first_token = moment(value.get("first_token_time"), "first_token_time")
    common["tags"] = tags_of(common["tags"], {"name": value.get("name")})
    call = Call(
        request=request.raw,
        response=response.raw if response else None,
        operation=shaping.operation_of(asked, answer),
        model=text(asked.get("model")) or model,
        provider=shaping.provider_of(model, text(metadata.get("ls_provider"))),
        ttft_ms=between(common["started_at"], first_token),
        **common,
    )
    kept = [*_CARRIED, "inputs"] if request.exact else [*_CARRIED]
    if response is None or response.exact:
        kept.append("outputs")
    return call, left_over(value, *kept)


def _input(asked: dict[str, JSON]) -> JSON:
    """What the model was given: messages, LangChain's messages, or prompts."""
    messages = asked.get("messages")
    if isinstance(messages, list) and len(messages) == 1 and isinstance(messages[0], list):
        return {**asked, "messages": messages[0]} if len(asked) > 1 else messages[0]
    prompts = first(asked, "prompts", "prompt")
    if isinstance(messages, list) or prompts is None:
        return asked
    return prompts[0] if isinstance(prompts, list) and len(prompts) == 1 else prompts


def _output(answered: dict[str, JSON]) -> tuple[JSON, JSON, str | None]:
    """The answer, the tokens it says it used, and why it ended."""
    generations = answered.get("generations")
    while isinstance(generations, list) and generations:
        generations = generations[0]
    if not isinstance(generations, dict):
        return _alone(answered), answered.get("usage_metadata"), None
    told = objects(objects(answered.get("llm_output")).get("token_usage"))
    info = objects(generations.get("generation_info"))
    message = first(generations, "message", "text")
    inner = objects(objects(message).get("kwargs"))
    used = told or objects(inner.get("usage_metadata"))
    return message, used, text(info.get("finish_reason"))


def _alone(answered: dict[str, JSON]) -> JSON:
    """An answer without LangChain's generations: a payload, a message, or the one value in it."""
    if shaping.is_response(answered) or "role" in answered or not answered:
        return answered
    messages = answered.get("messages")
    if isinstance(messages, list):
        return messages
    content = first(answered, "output", "message", "content", "text")
    return content if content is not None and len(answered) == 1 else answered


def _usage(value: Mapping[str, JSON], used: JSON) -> shaping.Usage:
    told = shaping.usage_of(used)
    asked, answered = whole(value.get("prompt_tokens")), whole(value.get("completion_tokens"))
    return shaping.Usage(
        told.input if asked is None else asked,
        told.output if answered is None else answered,
        told.cached,
        told.reasoning,
    )


def _scores(value: Mapping[str, JSON], of: Call | Span, context: Context) -> list[Score]:
    """LangSmith exports what feedback came to: how often, and the average."""
    found = []
    for name, stats in objects(value.get("feedback_stats")).items():
        average = number(objects(stats).get("avg"))
        if average is None:
            continue
        many = whole(objects(stats).get("n")) or 1
        found.append(
            Score(
                project_id=context.project_id,
                id=id_of(f"{SOURCE}/feedback", f"{of.span_id} {name}", of.started_at),
                at=of.started_at,
                name=name[:200],
                value=average,
                request_id=of.id if isinstance(of, Call) else None,
                trace_id=None if isinstance(of, Call) else of.trace_id,
                origin="human",
                comment=f"The average of {many} in LangSmith." if many > 1 else None,
                key_id=context.key_id,
            )
        )
    return found


LANGSMITH = Format(SOURCE, "LangSmith runs", _claims, _read)
