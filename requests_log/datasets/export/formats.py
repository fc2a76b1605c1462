"""The formats that datasets are exported in, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

from requests_log.datasets.export import shapes
from requests_log.datasets.export.files import CSV_COLUMNS, Csv, JsonLines, Parquet, Writer
from requests_log.datasets.export.shapes import Body, Record
from workbench.core.errors import InvalidInput

Features = list[dict[str, Any]]


@dataclass(frozen=True)
class Format:
    """One format: how a row is shaped and written, and how Hugging Face's `datasets` types it.

    `features` is what the card's header declares, `reading` further options of the loader.
    """

    name: str
    label: str
    sentence: str
    shape: Callable[[Body], Record]
    features: Features
    extension: str = "jsonl"
    content_type: str = "application/x-ndjson"
    writer: Callable[[IO[bytes]], Writer] = JsonLines
    reading: Mapping[str, Any] = field(default_factory=dict)


def _texts(*names: str) -> Features:
    return [{"name": name, "dtype": "string"} for name in names]


def _messages(*names: str) -> Features:
    """Lists of objects whose keys may differ."""
    return [{"name": name, "list": "json"} for name in names]


_TOOLS: Features = [{"name": "tools", "dtype": "json"}]


def _structs(name: str) -> Features:
    """Messages that all have the same fields; fresh every time, because YAML would make two uses
    of one list an alias, which the loader trips over."""
    function = {"name": "function", "struct": _texts("name", "arguments")}
    message = [
        *_texts("role", "content", "parts", "name", "tool_call_id", "reasoning_content"),
        {"name": "tool_calls", "list": [*_texts("id", "type"), function]},
        {"name": "weight", "dtype": "int8"},
    ]
    return [{"name": name, "list": message}]


_FORMATS = (
    Format(
        "openai",
        "OpenAI chat",
        "JSONL, {messages, tools}: what OpenAI-shaped fine-tuning takes. Conversations are exact.",
        shapes.openai,
        _messages("messages") + _TOOLS,
    ),
    Format(
        "trl",
        "TRL conversational",
        "JSONL, {prompt, completion} as messages: TRL's SFTTrainer learns the last answer only.",
        shapes.conversational,
        _messages("prompt", "completion") + _TOOLS,
    ),
    Format(
        "preference",
        "Preference (DPO)",
        "JSONL, {prompt, chosen, rejected} as messages: TRL's DPOTrainer. Pairs only.",
        shapes.preference,
        _messages("prompt", "chosen", "rejected") + _TOOLS,
    ),
    Format(
        "openai-preference",
        "OpenAI preference (DPO)",
        "JSONL, {input, preferred_output, non_preferred_output}: OpenAI's DPO. Pairs only.",
        shapes.openai_preference,
        [
            {"name": "input", "dtype": "json"},
            *_messages("preferred_output", "non_preferred_output"),
        ],
    ),
    Format(
        "sharegpt",
        "ShareGPT",
        "JSONL, {conversations: [{from, value}]}: LLaMA-Factory, Axolotl, Unsloth. Text and tools.",
        shapes.sharegpt,
        [{"name": "conversations", "list": _texts("from", "value")}, *_texts("tools")],
    ),
    Format(
        "alpaca",
        "Alpaca",
        "JSONL, {instruction, input, output, system, history}. Text only, no tools.",
        shapes.alpaca,
        [
            *_texts("instruction", "input", "output", "system"),
            {"name": "history", "list": {"list": "string"}},
        ],
    ),
    Format(
        "completion",
        "Prompt and completion",
        "JSONL, {prompt, completion} as text: one question, one answer, no tools.",
        shapes.completion,
        _texts("prompt", "completion"),
    ),
    Format(
        "csv",
        "CSV",
        "A table for people: system, user, assistant; longer conversations as JSON in a cell.",
        shapes.cells,
        _texts(*CSV_COLUMNS),
        extension="csv",
        content_type="text/csv; charset=utf-8",
        writer=Csv,
        # Without it the answers “NA” and “null” would be read as no answer.
        reading={"keep_default_na": False},
    ),
    Format(
        "parquet",
        "Parquet",
        "Typed columns, compressed: the smallest and the fastest to read. Holds every row exactly.",
        shapes.columns,
        [*_structs("messages"), *_texts("tools"), *_structs("rejected")],
        extension="parquet",
        content_type="application/vnd.apache.parquet",
        writer=Parquet,
    ),
)
FORMATS: Mapping[str, Format] = {one.name: one for one in _FORMATS}


def format_named(name: str) -> Format:
    """The format of this name.

    Raises:
        InvalidInput: there is none.
    """
    if name not in FORMATS:
        raise InvalidInput(f"format must be one of: {', '.join(FORMATS)}.")
    return FORMATS[name]
