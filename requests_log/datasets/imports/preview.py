"""The first rows of an import as they will become, for pages and the API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from requests_log.datasets.canonical import ReadyExample, answer_text, text_of
from requests_log.datasets.imports.chunking import about_tokens
from requests_log.datasets.imports.recognising import SHOWN, Recognised

TEXT = 1_000
PROBLEMS_SHOWN = 20


def shown(found: Recognised, *, most: int = SHOWN) -> dict[str, Any]:
    """The guess, the columns with the role of each, the first rows, what is wrong with some."""
    rows, problems = found.shown(most)
    return {
        "format": found.format.name,
        "columns": list(found.columns),
        "mapping": dict(found.mapping),
        "notice": found.container.notice,
        "rows": [{"line": line} | row_of(example) for line, example in rows],
        "problems": sorted(problems, key=lambda one: one.line)[:PROBLEMS_SHOWN],
    }


def row_of(example: ReadyExample) -> dict[str, Any]:
    """One row with its texts cut to what a person looks at."""
    body: dict[str, Any] = msgspec.json.decode(example.payload)
    made: dict[str, Any] = {"turns": [_turn(message) for message in body.get("messages", ())]}
    if "rejected" in body:
        made["rejected"] = _turn(body["rejected"])
    if "tools" in body:
        made["tools"] = len(body["tools"])
    if "text" in body:
        made |= {"title": body.get("title", ""), "text": _cut(body["text"])}
        made["tokens"] = about_tokens(body["text"])
    if "inputs" in body:
        made["inputs"] = {name: _cut(_written(value)) for name, value in body["inputs"].items()}
    return made


def _turn(message: Mapping[str, Any]) -> dict[str, str]:
    text = text_of(message.get("content")) or answer_text(dict(message))
    return {"role": message["role"], "content": _cut(text)}


def _cut(text: str) -> str:
    return text if len(text) <= TEXT else f"{text[:TEXT]}…"


def _written(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
