"""OpenAI's stored completions: objects `chat.completion` or `response`, alone or on list pages.

OpenAI lists a completion's messages apart (`…/chat/completions/{id}/messages`); put them into
the object as `messages` (or `input`) before importing, or the calls have no input.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from requests_log.calls import Call
from requests_log.importers import shaping
from requests_log.importers.ids import id_of
from requests_log.importers.records import JSON, BadRecord, Record, to_json
from requests_log.importers.source import NOTHING, Context, Format, Out
from requests_log.importers.values import first, nested, objects, tags_of, text

SOURCE = "openai"
_ASKED = frozenset({"messages", "input"})
_TOLD = frozenset({"metadata", "instructions"}) | _ASKED


def _claims(record: Mapping[str, JSON]) -> int:
    is_ours = _object(record).get("object") in ("chat.completion", "response", "text_completion")
    return 4 if is_ours and "id" in _object(record) else 0


def _object(record: Mapping[str, JSON]) -> Mapping[str, JSON]:
    """The completion itself; people who join it with its messages may put it one level down."""
    inner = record.get("completion")
    return inner if isinstance(inner, dict) and "object" in inner else record


def _read(record: Record, context: Context) -> list[Out]:
    found = _object(record.value)
    source_id = text(found.get("id"))
    if source_id is None:
        raise BadRecord("id: a stored completion has one; this one does not.")
    started = context.time(first(found, "created", "created_at"), "created")
    is_response = found.get("object") == "response"
    failed = objects(found.get("error"))
    return [
        Call(
            project_id=context.project_id,
            id=id_of(SOURCE, source_id, started),
            started_at=started,
            operation="responses" if is_response else shaping.operation_of({}, found),
            request=_request(record.value, found, is_response=is_response),
            response=_response(record, found),
            provider="openai",
            model=text(found.get("model")),
            status="error" if failed else "ok",
            error_type=text(failed.get("code")),
            error_message=text(failed.get("message")),
            tags=tags_of({"import.id": source_id}, objects(found.get("metadata"))),
            end_user=text(found.get("user")),
            source=SOURCE,
            key_id=context.key_id,
        )
    ]


def _request(record: Mapping[str, JSON], found: Mapping[str, JSON], *, is_response: bool) -> bytes:
    """The request rebuilt from the parameters that the stored object repeats."""
    given = nested(first(record, "messages", "input") or first(found, "messages", "input"))
    if isinstance(given, dict) and isinstance(given.get("data"), list):  # a list page
        given = list(given["data"])
    document: dict[str, Any] = {"model": found.get("model")}
    if is_response and given is not None:
        document["input"] = given
    elif given is not None:
        document["messages"] = [_as_asked(message) for message in shaping.messages_of(given)[0]]
    kept = shaping.PARAMETERS | {"metadata", "instructions"}
    document |= {name: found[name] for name in sorted(kept & found.keys())}
    return to_json({name: value for name, value in document.items() if value not in NOTHING})


def _as_asked(message: JSON) -> JSON:
    """A stored message without what OpenAI added to it: its id, and empty members."""
    if not isinstance(message, dict):
        return message
    return {
        name: value
        for name, value in message.items()
        if name != "id" and (value is not None or name == "content")
    }


def _response(record: Record, found: Mapping[str, JSON]) -> bytes:
    """The object as OpenAI stored it, without the request's part when that was put into it."""
    if found is record.value and not (_ASKED & found.keys()):
        return record.raw
    return to_json({name: value for name, value in found.items() if name not in _ASKED})


OPENAI_STORED = Format("openai", "OpenAI stored completions", _claims, _read)
