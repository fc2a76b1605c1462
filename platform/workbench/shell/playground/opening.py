"""Filling the playground: from a logged call, from a version of a prompt, from an example."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from prompts.content import PLACEHOLDER, Content, content_of
from prompts.models import PromptVersion
from prompts.resolving import find_prompt, version_of
from requests_log.datasets.canonical import answer_text
from requests_log.datasets.models import Example
from requests_log.inspecting import answer_words
from requests_log.models import LoggedRequest, Operation
from workbench.core.errors import NotFound
from workbench.core.models import Project
from workbench.providers.refs import known_refs
from workbench.shell.playground.asking import NUMBERS
from workbench.shell.playground.state import Document, State

_NOT_SENT = frozenset({"model", "stream", "stream_options", "user", "metadata", "store"})
_ELSEWHERE = {"max_output_tokens": "max_tokens", "stop_sequences": "stop"}
"""Anthropic's and Responses' names for what chat completions call otherwise."""


def from_request(project: Project, request_id: UUID) -> State:
    """A logged call with all that was sent.

    Raises:
        NotFound: it is not in the log.
    """
    logged = _logged(project, request_id)
    tools = json_text(logged.reading.tools)
    state = _with_parameters(State(messages=_rows(logged.messages), tools=tools), logged)
    origin = {"request": str(request_id), "expected": answer_words(logged.output)}
    is_raw = logged.operation == Operation.COMPLETION
    texts = [str(row["content"]) for row in state.messages]
    return _replaced(
        state,
        mode="raw" if is_raw else "chat",
        prompt="\n".join(texts) if is_raw else "",
        messages=[] if is_raw else state.messages,
        # Braces in what was sent were no variables.
        syntax="plain" if any("{{" in text or "{%" in text for text in texts) else "mustache",
        columns=[_column(_model_of(project, logged))],
        origin=origin,
    )


def from_prompt(project: Project, name: str, number: int | None) -> State:
    """A version of a prompt; the newest without a number.

    Raises:
        NotFound: there is no such prompt or version.
    """
    prompt = find_prompt(project, name)
    return _of_version(version_of(prompt, number or prompt.versions_made))


def from_request_s_prompt(project: Project, request_id: UUID) -> State:
    """The prompt that a logged call was made with, filled with the call's variables.

    Raises:
        NotFound: the call, or its prompt in the registry, is not there.
    """
    logged = _logged(project, request_id)
    if logged.prompt_name is None:
        raise NotFound("This call names no prompt of the registry.")
    state = from_prompt(project, logged.prompt_name, logged.prompt_version)
    return _replaced(
        state,
        variables=variable_rows(logged.variables),
        columns=[_column(_model_of(project, logged))],
        origin=state.origin | {"request": str(request_id), "expected": answer_words(logged.output)},
    )


def has_prompt(project: Project, request_id: str) -> bool:
    """Whether a logged call names a version that is in the registry."""
    rows = LoggedRequest.objects.in_project(project).filter(id=request_id)
    name, number = rows.values_list("prompt_name", "prompt_version").first() or (None, None)
    if not name or number is None:
        return False
    versions = PromptVersion.objects.in_project(project).filter(prompt__name=name)
    return versions.filter(number=number).exists()


def from_example(project: Project, example_id: UUID) -> State:
    """The conversation of an example, its answer beside it.

    Raises:
        NotFound: there is no such example.
    """
    rows = Example.objects.filter(dataset__project=project).select_related("content", "dataset")
    example = rows.filter(pk=example_id).first()
    if example is None:
        raise NotFound("There is no such example in this project.")
    body = example.content.body
    messages = body.get("messages") or [{"role": "user", "content": body.get("text", "")}]
    answered = messages[-1] if messages[-1]["role"] == "assistant" else None
    rows_now = _rows(messages[:-1] if answered else messages)
    plain = any("{{" in row["content"] or "{%" in row["content"] for row in rows_now)
    return State(
        messages=rows_now,
        tools=json_text(body.get("tools")),
        syntax="plain" if plain else "mustache",
        variables=variable_rows(body.get("inputs")),
        columns=[_column("")],
        origin={
            "dataset": example.dataset.slug,
            "expected": answer_text(answered) if answered else "",
        },
    )


def variable_rows(values: Any) -> list[Document]:
    """Values by name as the page has them."""
    found = values if isinstance(values, dict) else {}
    return [
        {
            "name": str(name),
            "text": value if isinstance(value, str) else json_text(value),
            "is_json": not isinstance(value, str),
        }
        for name, value in found.items()
    ]


def json_text(value: Any) -> str:
    """Pretty JSON; nothing for nothing."""
    return "" if value in (None, [], {}) else json.dumps(value, ensure_ascii=False, indent=2)


def _of_version(version: PromptVersion) -> State:
    content = content_of(version)
    settings = dict(content.settings)
    model = settings.pop("model", "")
    parameters, more = _split(settings)
    examples = {one["name"]: one["example"] for one in content.variables if "example" in one}
    return State(
        syntax=content.syntax,
        messages=_rows(_body(content)),
        few_shot=json_text(content.few_shot),
        tools=json_text(content.tools),
        schema=json_text(content.response_schema),
        format="json_schema" if content.response_schema else "text",
        described=content.variables,
        variables=variable_rows(examples),
        parameters=parameters,
        more=json_text(more),
        columns=[_column(model if isinstance(model, str) else "")],
        origin={"prompt": version.prompt.name, "version": version.number},
    )


def _body(content: Content) -> list[Document]:
    if isinstance(content.body, str):
        return [{"role": "user", "content": content.body}]
    return content.body


def _rows(messages: Any) -> list[Document]:
    return [_row(one) for one in messages if isinstance(one, dict)]


def _row(message: Document) -> Document:
    if message.get("type") == PLACEHOLDER:
        return {"role": PLACEHOLDER, "content": str(message.get("name", ""))}
    content = message.get("content")
    row: Document = {"role": str(message.get("role") or "user"), "content": ""}
    if isinstance(content, str):
        row["content"] = content
    elif content:
        row |= _parts(content)
    for name in ("name", "tool_call_id"):
        if isinstance(message.get(name), str):
            row[name] = message[name]
    if message.get("tool_calls"):
        row["tool_calls"] = json_text(message["tool_calls"])
    extra = message.keys() - {"role", "content", "name", "tool_call_id", "tool_calls"}
    kept = {name: message[name] for name in sorted(extra) if message[name] is not None}
    return row | {"extra": kept} if kept else row


def _parts(content: Any) -> Document:
    """One part of text is a text; anything else is edited as JSON."""
    one = content[0] if isinstance(content, list) and len(content) == 1 else None
    if isinstance(one, dict) and one.keys() == {"type", "text"} and isinstance(one["text"], str):
        return {"content": one["text"]}
    return {"content": json_text(content), "is_parts": True}


def _with_parameters(state: State, logged: LoggedRequest) -> State:
    given = {
        _ELSEWHERE.get(name, name): value
        for name, value in logged.reading.parameters.items()
        if name not in _NOT_SENT
    }
    form = given.pop("response_format", None)
    is_ours = logged.operation != Operation.RESPONSES and logged.provider != "anthropic"
    if not is_ours:  # other APIs' own settings mean nothing here
        given = {name: v for name, v in given.items() if name in {*NUMBERS, "stop"}}
    parameters, more = _split(given)
    return _replaced(state, parameters=parameters, more=json_text(more), **_form(form))


def _form(form: Any) -> Document:
    given = form if isinstance(form, dict) else {}
    named = given.get("json_schema")
    if given.get("type") == "json_schema" and isinstance(named, dict):
        name = {key: value for key, value in named.items() if key != "schema"}
        schema = json_text(named.get("schema"))
        return {"format": "json_schema", "schema": schema, "format_name": name}
    return {"format": "json_object"} if given.get("type") == "json_object" else {}


def _split(given: Document) -> tuple[Document, Document]:
    """Parameters with a field of their own as text, and the others."""
    fields: Document = {}
    more = dict(given)
    for name in NUMBERS:
        if isinstance(more.get(name), int | float) and not isinstance(more[name], bool):
            fields[name] = f"{more.pop(name)}"
    stop = more.get("stop")
    stops = [stop] if isinstance(stop, str) else stop
    if isinstance(stops, list) and all(isinstance(s, str) and "\n" not in s for s in stops):
        fields["stop"] = "\n".join(stops)
        del more["stop"]
    return fields, {name: value for name, value in more.items() if value is not None}


def _logged(project: Project, request_id: UUID) -> LoggedRequest:
    found = LoggedRequest.objects.in_project(project).defer("search").filter(id=request_id).first()
    if found is None:
        raise NotFound("There is no such request in this project. It may have been deleted.")
    return found


def _model_of(project: Project, logged: LoggedRequest) -> str:
    """The model as it can be asked for here: if need be through the connection that lists it."""
    model, refs = logged.model or "", known_refs(project)
    if model in refs:
        return model
    named = [ref for ref in refs if ref.partition("/")[2] == model]
    own = f"{logged.provider}/{model}"
    return own if own in named else next(iter(named), model)


def _column(model: str) -> Document:
    return {"model": model, "own": "", "result": None}


def _replaced(state: State, **changes: Any) -> State:
    return State(**(state.as_json() | changes))
