"""Pairs of a better and a worse answer: TRL's and OpenAI's files for DPO."""

from __future__ import annotations

from typing import Any

from requests_log.datasets.canonical import BadRow
from requests_log.datasets.imports.formats.base import (
    GROUP,
    Row,
    RowFormat,
    with_extras,
    with_system,
)
from requests_log.datasets.imports.formats.turns import (
    completion,
    is_transcript,
    messages_of,
    prompt,
    transcript,
)
from requests_log.importers.records import JSON


def _read(row: Row) -> dict[str, Any]:
    if row.get("chosen") is None or row.get("rejected") is None:
        raise BadRow("no_pair", "The row needs both a chosen and a rejected answer.")
    asked = [] if row.raw("prompt") is None else prompt(row.raw("prompt"))
    chosen, rejected = _answers(row.raw("chosen")), _answers(row.raw("rejected"))
    return with_extras(row, _pair(row, asked, chosen, rejected))


def _answers(value: JSON) -> list[Any]:
    """Messages of an answer, or of the whole conversation that it ends."""
    return transcript(value) if is_transcript(value) else completion(value)


def _pair(row: Row, asked: list[Any], chosen: list[Any], rejected: list[Any]) -> dict[str, Any]:
    """Both answers must follow the same messages; those may stand in the prompt or before both."""
    if chosen[:-1] != rejected[:-1]:
        raise BadRow(
            "differs_before_answer",
            "The chosen and the rejected side differ before their last message.",
        )
    before = chosen[:-1]
    if asked and before[: len(asked)] != asked:
        before = [*asked, *before]
    if not before:
        raise BadRow("no_prompt", "Neither a prompt nor messages before the answers are there.")
    messages = with_system(row, [*before, chosen[-1]])
    return {"messages": messages, "rejected": rejected[-1]}


def _read_openai(row: Row) -> dict[str, Any]:
    given = row.get("input")
    if not isinstance(given, dict):
        raise BadRow("no_input", "“input” must be an object with messages.")
    asked = messages_of(given.get("messages"))
    chosen = messages_of(row.get("preferred_output"))
    rejected = messages_of(row.get("non_preferred_output"))
    made = _pair(row, asked, chosen, rejected)
    if given.get("tools"):
        made["tools"] = given["tools"]
    return with_extras(row, made)


PREFERENCE = RowFormat(
    "preference",
    "Preference pairs (DPO)",
    '{"prompt": "…", "chosen": "…", "rejected": "…"}',
    {
        "prompt": "prompt question instruction input query",
        "chosen": "chosen preferred accepted better",
        "rejected": "rejected dispreferred non_preferred worse",
        "system": "system system_prompt",
        "tools": "tools",
        **GROUP,
    },
    lambda row: row.get("chosen") is not None and row.get("rejected") is not None,
    _read,
)
OPENAI_PREFERENCE = RowFormat(
    "openai_preference",
    "OpenAI preference pairs",
    '{"input": {"messages": […]}, "preferred_output": […], "non_preferred_output": […]}',
    {
        "input": "input",
        "preferred_output": "preferred_output",
        "non_preferred_output": "non_preferred_output",
        **GROUP,
    },
    lambda row: isinstance(row.get("input"), dict) and row.get("preferred_output") is not None,
    _read_openai,
)
