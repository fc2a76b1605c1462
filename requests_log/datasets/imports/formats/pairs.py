"""Questions and answers in columns: prompt-completion, Alpaca, and columns put together freely."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from requests_log.datasets.canonical import BadRow
from requests_log.datasets.imports.formats.base import (
    GROUP,
    NOTHING,
    Row,
    RowFormat,
    with_extras,
    with_system,
)
from requests_log.datasets.imports.formats.turns import completion, prompt
from requests_log.importers.records import JSON, to_json
from workbench.core.errors import InvalidInput

PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}\n]*)\}")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_a-zA-Z]+")
_ASKS = {"ask", "asked", "customer", "input", "instruction", "message", "prompt", "query",
         "question", "request", "user"}  # fmt: skip
_ANSWERS = {"agent", "answer", "assistant", "better", "completion", "output", "replied", "reply",
            "resolution", "response", "solution", "target"}  # fmt: skip
_WORSE = {"bad", "dispreferred", "rejected", "worse", "worst"}
_ASIDE = {"comment", "comments", "created", "date", "id", "note", "notes", "time", "timestamp",
          "updated", "url", "uuid"}  # fmt: skip
_TURNS = ("system", "user", "assistant", "rejected")


def _read_pair(row: Row) -> dict[str, Any]:
    if row.get("prompt") is None or row.get("completion") is None:
        raise BadRow("no_pair", "The row needs both a prompt and a completion.")
    if (row.text("label") or "").lower() == "false":
        raise BadRow("bad_answer", "The file itself marks this answer as a bad one (label: false).")
    messages = [*prompt(row.raw("prompt")), *completion(row.raw("completion"))]
    return with_extras(row, {"messages": with_system(row, messages)})


def _read_alpaca(row: Row) -> dict[str, Any]:
    asked = row.need("instruction")
    if given := row.text("input"):
        asked = f"{asked}\n\n{given}"
    past = [
        {"role": role, "content": text}
        for pair in _history(row.get("history"))
        for role, text in zip(("user", "assistant"), pair, strict=True)
    ]
    messages = [
        *past,
        {"role": "user", "content": asked},
        {"role": "assistant", "content": row.need("output")},
    ]
    return with_extras(row, {"messages": with_system(row, messages)})


def _history(value: JSON) -> list[list[str]]:
    pairs = value if isinstance(value, list) else []
    if any(not isinstance(pair, list) or len(pair) != 2 for pair in pairs):
        raise BadRow("bad_history", "“history” must be a list of [question, answer].")
    return pairs


def _read_template(row: Row) -> dict[str, Any]:
    turns = {role: filled(row.mapping.get(role, ""), row.value) for role in _TURNS}
    for role in ("user", "assistant"):
        if not turns[role].strip():
            raise BadRow("empty_turn", f"The {role}'s text is empty. Change its template.")
    messages = [
        {"role": role, "content": turns[role]}
        for role in ("system", "user", "assistant")
        if turns[role].strip()
    ]
    made: dict[str, Any] = {"messages": messages}
    if turns["rejected"].strip():
        made["rejected"] = {"role": "assistant", "content": turns["rejected"]}
    if group := filled(row.mapping.get("group", ""), row.value):
        made["group"] = group
    return made


def filled(template: str, values: Mapping[str, JSON]) -> str:
    """A template with the values of a row in its `{column}` places; `{{` and `}}` are braces."""
    return PLACEHOLDER.sub(lambda place: _filling(place, values), template)


def check_template(template: str, names: Sequence[str]) -> None:
    """Every place of a template must name a column.

    Raises:
        InvalidInput: one does not.
    """
    for place in PLACEHOLDER.finditer(template):
        if place[1] is not None and place[1] not in names:
            known = ", ".join(names[:20])
            raise InvalidInput(
                f"“{{{place[1][:60]}}}” is no column. The columns are: {known}. Write "
                "{{ and }} for braces that are text."
            )


def _filling(place: re.Match[str], values: Mapping[str, JSON]) -> str:
    if place[1] is None:
        return place[0][0]
    value = values.get(place[1])
    if isinstance(value, str):
        return value
    return "" if value is None else to_json(value).decode()


def _guess(names: Sequence[str]) -> dict[str, str]:
    """Which columns ask and answer, by their names, else the first and the last that say anything.

    A worse answer is never taken for the answer. A person can change all of it.
    """
    groups = [name for name in names if name.lower() in GROUP["group"].split()][:1]
    worse = [name for name in names if _words(name) & _WORSE]
    said = [name for name in names if name not in (*groups, *worse) and not _words(name) & _ASIDE]
    asks = [name for name in said if _words(name) & _ASKS and not _words(name) & _ANSWERS]
    user = [*asks, *said][:1]
    others = [name for name in reversed(said) if name not in user]
    answers = [*(name for name in others if _words(name) & _ANSWERS), *others]
    found = {"user": user, "assistant": answers, "rejected": worse, "group": groups}
    return {role: _place(columns[0]) for role, columns in found.items() if columns}


def _words(name: str) -> set[str]:
    """The words of a column's name: `agentReply`, `Agent reply` and `agent_reply` have the same."""
    return {word.lower() for word in _WORD.findall(name)}


def _place(name: str) -> str:
    return f"{{{name}}}"


def _read_inputs(row: Row) -> dict[str, Any]:
    values = {name: value for name, value in row.value.items() if value not in NOTHING}
    return {"inputs": values}


PROMPT_COMPLETION = RowFormat(
    "prompt_completion",
    "Prompt and completion",
    '{"prompt": "…", "completion": "…"}',
    {
        "prompt": "prompt question query input instruction input_text source_text",
        "completion": "completion answer output response reply target target_text label_text",
        "system": "system system_prompt",
        "tools": "tools",
        "label": "label",
        **GROUP,
    },
    lambda row: row.get("prompt") is not None and row.get("completion") is not None,
    _read_pair,
)
ALPACA = RowFormat(
    "alpaca",
    "Alpaca",
    '{"instruction": "…", "input": "…", "output": "…"}',
    {
        "instruction": "instruction",
        "input": "input context",
        "output": "output response completion answer",
        "system": "system system_prompt",
        "history": "history",
        **GROUP,
    },
    lambda row: isinstance(row.get("instruction"), str) and row.get("output") is not None,
    _read_alpaca,
)
TEMPLATE = RowFormat(
    "columns",
    "Columns put into turns",
    "each turn a text with {column} in it",
    {"system": "", "user": "", "assistant": "", "rejected": "", "group": ""},
    lambda row: False,
    _read_template,
    guess=_guess,
    is_template=True,
)
INPUTS = RowFormat(
    "inputs",
    "Inputs only, to be answered later",
    '{"city": "…", "question": "…"}',
    {},
    lambda row: False,
    _read_inputs,
)
