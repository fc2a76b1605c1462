"""From what stands in the playground to the call that is made: checked whole before any call."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from prompts.content import PLACEHOLDER, ROLES, Content, checked, content_of, needed_variables
from prompts.models import Prompt, PromptVersion
from prompts.rendering.problems import BadTemplate, MissingVariables
from prompts.resolving import compiled, expanded
from workbench.core.errors import DomainError
from workbench.core.models import Project
from workbench.shell.playground.state import Document, Problem, State, Unready, json_problem

NUMBERS: dict[str, tuple[type, float, float]] = {
    "temperature": (float, 0.0, 2.0),
    "top_p": (float, 0.0, 1.0),
    "max_tokens": (int, 1, 10_000_000),
    "seed": (int, -(2**63), 2**63 - 1),
}
OURS = frozenset({"model", "messages", "prompt", "stream", "stream_options", "tools"})
"""What the page itself says in a call."""
LABELS = {
    "few_shot": "The list of examples",
    "tools": "The list of tools",
    "schema": "The schema",
    "more": "The list of further parameters",
}


@dataclass(frozen=True)
class Asked:
    """The calls of one run: what is common to all, and each column's own parameters."""

    body: Document
    own: list[Document]
    is_raw: bool
    prompt: tuple[str, int] | None = None
    values: Document = field(default_factory=dict)


@dataclass
class Reading:
    """A state being read; what is wrong with it is gathered."""

    project: Project
    state: State
    problems: list[Problem] = field(default_factory=list)
    typed: Content | None = None

    def json(self, name: str, text: str, label: str, kind: type) -> Any:
        """What a field that holds JSON says; None when it is empty or wrong."""
        if not text.strip():
            return None
        try:
            value = json.loads(text)
        except RecursionError:
            self.problems.append(Problem(name, f"{label} is nested too deeply. Flatten it."))
            return None
        except ValueError as problem:
            self.problems.append(json_problem(name, problem, label))
            return None
        if kind is not object and not isinstance(value, kind):
            wanted = "a list: […]" if kind is list else "an object: {…}"
            self.problems.append(Problem(name, f"{label} must be {wanted}."))
            return None
        return value

    def part(self, name: str, kind: type) -> Any:
        return self.json(name, getattr(self.state, name), LABELS[name], kind)

    def require_none(self) -> None:
        """Raises Unready: something is wrong."""
        if self.problems:
            raise Unready(self.problems)


def variables_of(project: Project, state: State) -> tuple[dict[str, str], list[Problem]]:
    """The variables the texts need, by name with their type, and what is wrong with the texts."""
    reading = Reading(project, state)
    content = _content(reading)
    return ({} if content is None else _needed(reading, content)), reading.problems


def asked(project: Project, state: State) -> Asked:
    """The calls to make.

    Raises:
        Unready: something is missing or wrong; all of it is told at once.
    """
    reading = Reading(project, state)
    own = list(_columns(reading))
    parameters = _parameters(reading)
    content = _content(reading)
    needed = {} if content is None else _needed(reading, content)
    values = _values(reading, needed)
    if state.is_raw:
        _require_prompt(reading)
        reading.require_none()
        return Asked(parameters | {"prompt": _typed(reading, content, values)}, own, is_raw=True)
    offered = _offered(reading)
    plain = _messages(reading) if state.syntax == "plain" else []
    if not state.messages:
        reading.problems.append(Problem("messages", "Write a message first."))
    reading.require_none()
    messages = _sent(reading, plain if content is None else _compiled(reading, content, values))
    same = prompt_of(project, state, reading.typed)
    return Asked({"messages": messages} | offered | parameters, own, False, same, values)


def content_for(project: Project, state: State) -> Content:
    """What stands there as the content of a prompt, for saving.

    Raises:
        Unready: a message or something in JSON is wrong.
        InvalidInput: it is no prompt.
    """
    reading = Reading(project, state)
    messages = _messages(reading)
    parameters = _parameters(reading)
    given = {
        "body": messages,
        "syntax": "mustache" if state.syntax == "plain" else state.syntax,
        "variables": state.described,
        "few_shot": reading.part("few_shot", list),
        "tools": reading.part("tools", list),
        "response_schema": reading.part("schema", dict),
        "settings": parameters,
    }
    reading.require_none()
    return checked(given)


def prompt_of(project: Project, state: State, content: Content | None) -> tuple[str, int] | None:
    """The version the messages are still those of, by which the calls are filed in the log."""
    name, number = state.origin.get("prompt"), state.origin.get("version")
    if content is None or not isinstance(name, str) or not isinstance(number, int):
        return None
    version = PromptVersion.objects.in_project(project).filter(prompt__name=name, number=number)
    found = version.first()
    if found is None:
        return None
    was = content_of(found)
    body = was.body if isinstance(was.body, list) else [{"role": "user", "content": was.body}]
    same = (body, was.few_shot) == (content.body, content.few_shot)
    return (name, number) if same and was.syntax == content.syntax else None


def _messages(reading: Reading) -> list[Document]:
    return [
        _message(reading, place, message) for place, message in enumerate(reading.state.messages)
    ]


def _message(reading: Reading, place: int, given: Document) -> Document:
    where, role = f"messages.{place}", given["role"]
    if role == PLACEHOLDER:
        if reading.state.syntax == "plain":
            reading.problems.append(
                Problem(
                    where,
                    "A list of messages needs variables. Choose a syntax, or take it out.",
                )
            )
        return {"type": PLACEHOLDER, "name": given["content"].strip()}
    if role not in ROLES:
        reading.problems.append(Problem(where, f"The role must be one of: {', '.join(ROLES)}."))
    message: Document = {"role": role, "content": given["content"]}
    if given.get("is_parts"):
        message["content"] = reading.json(where, given["content"], "The content", list)
    for name in ("name", "tool_call_id"):
        if given.get(name):
            message[name] = given[name]
    calls = reading.json(f"{where}.tool_calls", given.get("tool_calls", ""), "The calls", list)
    if calls:
        message["tool_calls"] = calls
        message["content"] = message["content"] or None
    return message


def _content(reading: Reading) -> Content | None:
    """The texts as templates, snippets put in; None where they are none, or cannot be read."""
    state = reading.state
    if state.syntax == "plain":
        return None
    content = reading.typed = _as_typed(reading)
    if reading.problems or content is None:
        return None
    unsaved = Prompt(project=reading.project, name="this-playground")
    try:
        whole = expanded(unsaved, content)
        needed_variables(whole)
    except DomainError as problem:
        reading.problems.append(Problem("messages", problem.sentence))
        return None
    return whole


def _as_typed(reading: Reading) -> Content | None:
    state = reading.state
    if state.is_raw:
        content = Content(state.prompt, state.syntax)
        _require_readable(reading, "prompt", content)
        return content if state.prompt else None
    shots = reading.part("few_shot", list)
    messages = _messages(reading)
    if reading.problems or not messages:
        return None
    for place, message in enumerate(messages):
        _require_readable(reading, f"messages.{place}", Content([message], state.syntax))
    if reading.problems:
        return None
    try:
        return checked({"body": messages, "few_shot": shots, "syntax": state.syntax})
    except DomainError as problem:
        reading.problems.append(Problem("messages", problem.sentence))
        return None


def _require_readable(reading: Reading, where: str, content: Content) -> None:
    """Says where a template cannot be read."""
    try:
        needed_variables(content)
    except BadTemplate as problem:
        place = problem.place
        line, column = (place.line, place.column) if place else (None, None)
        reading.problems.append(Problem(where, problem.bare, line, column))
    except KeyError:
        reading.problems.append(Problem(where, "Name the variable that holds the messages."))


def _needed(reading: Reading, content: Content) -> dict[str, str]:
    """Names with types: as the prompt describes them, else as their use tells."""
    told = {one.get("name"): one.get("type") for one in reading.state.described}
    found = needed_variables(content)
    return {name: str(told.get(name) or kind) for name, kind in found.items()}


def _values(reading: Reading, needed: dict[str, str]) -> Document:
    values: Document = {}
    missing = []
    given = {one["name"]: one for one in reading.state.variables}
    for name in needed:
        one = given.get(name, {"text": "", "is_json": False})
        if not one["text"]:
            missing.append(name)
        elif one["is_json"]:
            where = f"variables.{name}"
            values[name] = reading.json(where, one["text"], f"“{name}”", object)
        else:
            values[name] = one["text"]
    reading.problems += [
        Problem(f"variables.{name}", f"“{name}” has no value. Fill it in, or take it out.")
        for name in missing
    ]
    return values


def _sent(reading: Reading, messages: str | list[Document]) -> list[Document]:
    """The messages with what else came with them from the log."""
    done = messages if isinstance(messages, list) else []
    extras = [one.get("extra") or {} for one in reading.state.messages]
    if len(done) != len(extras):  # examples or lists of messages were put between
        return done
    return [{**extra, **message} for extra, message in zip(extras, done, strict=True)]


def _typed(reading: Reading, content: Content | None, values: Document) -> str:
    if content is None:
        return reading.state.prompt
    return str(_compiled(reading, content, values))


def _compiled(reading: Reading, content: Content, values: Document) -> str | list[Document]:
    try:
        return compiled(content, values)
    except MissingVariables as problem:
        names = [(name.partition(".")[0], name) for name in problem.names]
        raise Unready(
            [Problem(f"variables.{root}", f"“{name}” has no value.") for root, name in names]
        ) from problem
    except BadTemplate as problem:
        place = problem.place
        line, column = (place.line, place.column) if place else (None, None)
        raise Unready([Problem("messages", problem.sentence, line, column)]) from problem
    except DomainError as problem:
        raise Unready([Problem("messages", problem.sentence)]) from problem


def _require_prompt(reading: Reading) -> None:
    if not reading.state.prompt:
        reading.problems.append(Problem("prompt", "Write the prompt first."))


def _offered(reading: Reading) -> Document:
    """Tools and the form of the answer."""
    found: Document = {}
    tools, schema = reading.part("tools", list), reading.part("schema", dict)
    if tools:
        found["tools"] = tools
    if reading.state.format == "json_object":
        found["response_format"] = {"type": "json_object"}
    if reading.state.format == "json_schema" and schema is not None:
        named = {"name": "answer", **reading.state.format_name, "schema": schema}
        found["response_format"] = {"type": "json_schema", "json_schema": named}
    elif reading.state.format == "json_schema" and not reading.state.schema.strip():
        reading.problems.append(Problem("schema", "Write the schema, or choose another format."))
    return found


def _parameters(reading: Reading) -> Document:
    found: Document = {}
    for name, (kind, low, high) in NUMBERS.items():
        text = str(reading.state.parameters.get(name, "")).strip()
        if text:
            found[name] = _number(reading, name, text, kind, low, high)
    stops = str(reading.state.parameters.get("stop", "")).splitlines()
    if any(stops):
        found["stop"] = [stop for stop in stops if stop]
    return found | _more(reading, "more", reading.part("more", dict))


def _number(
    reading: Reading, name: str, text: str, kind: type, low: float, high: float
) -> float | int | None:
    try:
        value: float | int = kind(text)
    except ValueError:
        value = float("nan")
    if low <= value <= high:
        return value
    what = "a whole number" if kind is int else "a number"
    known = f" from {low:g} to {high:g}" if high < 100 else f" from {low:g}" if low > 0 else ""
    sentence = f"{name.replace('_', ' ').capitalize()} must be {what}{known}."
    reading.problems.append(Problem(f"parameters.{name}", sentence))
    return None


def _columns(reading: Reading) -> Iterator[Document]:
    if not reading.state.columns:
        reading.problems.append(Problem("columns", "Choose a model first."))
    for place, column in enumerate(reading.state.columns):
        where = f"columns.{place}"
        if not column["model"]:
            reading.problems.append(Problem(where, "Choose a model for this column."))
        own = reading.json(f"{where}.own", column["own"], "The parameters", dict)
        yield _more(reading, f"{where}.own", own)


def _more(reading: Reading, where: str, given: Document | None) -> Document:
    """Parameters typed as JSON."""
    ours = sorted(OURS & set(given or {}))
    if ours:
        reading.problems.append(Problem(where, f"Leave out {', '.join(ours)}: the page says it."))
    return given or {}
