"""What stands in the playground, as the page sends it and as it is kept.

A JSON object. What people type as JSON stays the text they typed, right or wrong:

- `mode`: "chat" or "raw"; `prompt`: the text of raw mode;
- `messages`: `{"role", "content", "is_parts"?, "name"?, "tool_call_id"?, "tool_calls"?, "extra"?}`;
  `content` is a text, or the JSON of a list of parts; `tool_calls` is JSON; under the role
  "messages" `content` names a variable that holds a list of messages;
- `syntax`: "mustache", "jinja" or "plain" (the texts are sent as they are);
- `variables`: `{"name", "text", "is_json"}`; `described`: what a prompt says of its variables;
- `few_shot`, `tools`, `schema`, `more`: JSON; `format`: "text", "json_object", "json_schema", or
  "check" (the schema is not sent, the answer is checked all the same);
- `parameters`: texts by name;
- `columns`: `{"model", "own", "result"}`, where `own` is JSON of parameters for this model alone
  and `result` is what the page showed after the last run;
- `origin`: where it came from: `request`, `prompt` and `version`, `dataset`, `row`, `expected`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from workbench.core.errors import InvalidInput

MOST_COLUMNS = 4
MOST_MESSAGES = 500
MOST_VARIABLES = 200
MOST_BYTES = 8 << 20
MODES = ("chat", "raw")
SYNTAXES = ("mustache", "jinja", "plain")
FORMATS = ("text", "json_object", "json_schema", "check")
JSON_TEXTS = ("few_shot", "tools", "schema", "more")

Json = Any
Document = dict[str, Json]


@dataclass(frozen=True)
class Problem:
    """Something to mend before a call: the field it is in, a sentence, and the place if known.

    `field` is a path such as `messages.2`, `variables.city`, `tools`, `columns.0`; line and column
    count from 1.
    """

    field: str
    sentence: str
    line: int | None = None
    column: int | None = None

    def as_json(self) -> Document:
        return asdict(self)


class Unready(InvalidInput):
    """The state cannot be run; `problems` are all that were found."""

    code = "unready"
    status = 422

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__(problems[0].sentence)


@dataclass(frozen=True)
class State:
    """A state whose parts have the right types; what they say may still be wrong."""

    mode: str = "chat"
    syntax: str = "mustache"
    prompt: str = ""
    messages: list[Document] = field(default_factory=list)
    variables: list[Document] = field(default_factory=list)
    described: list[Document] = field(default_factory=list)
    few_shot: str = ""
    tools: str = ""
    format: str = "text"
    schema: str = ""
    format_name: Document = field(default_factory=dict)
    parameters: Document = field(default_factory=dict)
    more: str = ""
    columns: list[Document] = field(default_factory=list)
    origin: Document = field(default_factory=dict)

    @property
    def is_raw(self) -> bool:
        return self.mode == "raw"

    @property
    def title(self) -> str:
        """What it is called in a list: the last thing that somebody says to the model."""
        texts = [str(one.get("content", "")) for one in reversed(self.messages)]
        roles = [one.get("role") for one in reversed(self.messages)]
        said = [text for text, role in zip(texts, roles, strict=True) if role == "user"]
        chosen = [self.prompt] if self.is_raw else [*said, *texts]
        line = next((" ".join(text[:1000].split()) for text in chosen if text.strip()), "")
        return (line.replace("\x00", "") or "Empty")[:120]

    def as_json(self) -> Document:
        return asdict(self)


def read_state(given: Json) -> State:
    """A state from what the page sent.

    Raises:
        InvalidInput: a part has another type than it must have, or it is too large.
    """
    if not isinstance(given, Mapping):
        raise _odd()
    state = State(
        mode=_one_of(given, "mode", MODES),
        syntax=_one_of(given, "syntax", SYNTAXES),
        format=_one_of(given, "format", FORMATS),
        prompt=_text(given, "prompt"),
        messages=[_message(one) for one in _objects(given, "messages", MOST_MESSAGES)],
        variables=[_variable(one) for one in _objects(given, "variables", MOST_VARIABLES)],
        described=_objects(given, "described", MOST_MESSAGES),
        format_name=_object(given, "format_name"),
        parameters={str(name): str(v) for name, v in _object(given, "parameters").items()},
        columns=[_column(one) for one in _objects(given, "columns", MOST_COLUMNS)],
        origin=_object(given, "origin"),
        **{name: _text(given, name) for name in JSON_TEXTS},
    )
    _require_storable(state)
    return state


def json_problem(field: str, problem: ValueError, label: str) -> Problem:
    """A text that should be JSON and is not, with the place where reading ended."""
    if isinstance(problem, json.JSONDecodeError):
        sentence = f"{label} is no JSON here: {problem.msg}."
        return Problem(field, sentence, problem.lineno, problem.colno)
    return Problem(field, f"{label} is no JSON: {problem}.")


def _message(given: Document) -> Document:
    kept: Document = {"role": _text(given, "role"), "content": _text(given, "content")}
    for name in ("name", "tool_call_id", "tool_calls"):
        if _text(given, name):
            kept[name] = given[name]
    if given.get("is_parts") is True:
        kept["is_parts"] = True
    if _object(given, "extra"):
        kept["extra"] = given["extra"]
    return kept


def _variable(given: Document) -> Document:
    return {
        "name": _text(given, "name"),
        "text": _text(given, "text"),
        "is_json": given.get("is_json") is True,
    }


def _column(given: Document) -> Document:
    result = given.get("result")
    return {
        "model": _text(given, "model").strip(),
        "own": _text(given, "own"),
        "result": result if isinstance(result, dict) else None,
    }


def _one_of(given: Mapping[str, Json], name: str, known: tuple[str, ...]) -> str:
    value = given.get(name) or known[0]
    if value not in known:
        raise InvalidInput(f"{name} must be one of: {', '.join(known)}.")
    return str(value)


def _text(given: Mapping[str, Json], name: str) -> str:
    value = given.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _odd()
    return value


def _object(given: Mapping[str, Json], name: str) -> Document:
    value = given.get(name) or {}
    if not isinstance(value, dict):
        raise _odd()
    return value


def _objects(given: Mapping[str, Json], name: str, most: int) -> list[Document]:
    rows = given.get(name) or []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise _odd()
    if len(rows) > most:
        raise InvalidInput(f"The playground takes at most {most} {name}. Remove some.")
    return rows


def _require_storable(state: State) -> None:
    try:
        size = len(json.dumps(state.as_json(), ensure_ascii=False, allow_nan=False).encode())
    except (TypeError, ValueError, RecursionError) as problem:
        raise InvalidInput(
            "It holds a number or half a character that no JSON can. Remove it."
        ) from problem
    if size > MOST_BYTES:
        raise InvalidInput(
            f"All of it is larger than {MOST_BYTES >> 20} MiB. Shorten the messages."
        )


def _odd() -> InvalidInput:
    return InvalidInput("The page sent something that is no state of it. Reload the page.")
