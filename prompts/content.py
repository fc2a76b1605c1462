"""What a version holds, checked and put in order: the one way in for pages, API and files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from prompts.models import Prompt, PromptVersion
from prompts.names import VARIABLE
from prompts.rendering import jinja, variables_in
from prompts.rendering.problems import BadTemplate
from prompts.rendering.snippets import SNIPPET, refs_in
from workbench.core.errors import InvalidInput

ROLES = ("system", "developer", "user", "assistant", "tool")
TYPES = ("text", "number", "boolean", "list", "object")
PLACEHOLDER = "messages"
MAX_BYTES = 1 << 20
MAX_ITEMS = 500
_MESSAGE_KEYS = {"role", "content", "name", "tool_calls", "tool_call_id"}

Json = Any
Message = dict[str, Json]


@dataclass(frozen=True)
class Content:
    """All of a version that apps get. `body` is a template (text) or a list of messages (chat)."""

    body: str | list[Message]
    syntax: str = PromptVersion.Syntax.MUSTACHE
    variables: list[dict[str, Json]] = field(default_factory=list)
    few_shot: list[dict[str, Json]] = field(default_factory=list)
    tools: list[Json] = field(default_factory=list)
    response_schema: dict[str, Json] | None = None
    settings: dict[str, Json] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return Prompt.Kind.TEXT if isinstance(self.body, str) else Prompt.Kind.CHAT

    @property
    def hash(self) -> str:
        """SHA-256 of everything, as 64 hexadecimal characters; the order of keys counts."""
        written = json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(written.encode()).hexdigest()

    @property
    def messages(self) -> list[Message]:
        """All messages, those of the examples too; none of a text."""
        shots = [message for shot in self.few_shot for message in shot["messages"]]
        return shots if isinstance(self.body, str) else [*self.body, *shots]

    def templates(self) -> Iterator[tuple[str, str]]:
        """Every template in it with the part it is: "message 2", or "" for a text."""
        if isinstance(self.body, str):
            yield "", self.body
            return
        for number, message in enumerate(self.messages, start=1):
            for text in texts_of(message):
                yield f"message {number}", text

    def with_texts(self, change: Callable[[str], str]) -> Content:
        """The same with every template changed."""
        if isinstance(self.body, str):
            return replace(self, body=change(self.body))
        shots = [
            {**shot, "messages": [with_texts(message, change) for message in shot["messages"]]}
            for shot in self.few_shot
        ]
        body = [with_texts(message, change) for message in self.body]
        return replace(self, body=body, few_shot=shots)


def content_of(version: PromptVersion) -> Content:
    """What a version holds, as it was written."""
    return Content(
        body=version.body,
        syntax=version.syntax,
        variables=version.variables,
        few_shot=version.few_shot,
        tools=version.tools,
        response_schema=version.response_schema,
        settings=version.settings,
    )


def texts_of(message: Message) -> list[str]:
    """The templates in a message."""
    content = message.get("content")
    if isinstance(content, list):
        return [part["text"] for part in content if isinstance(part.get("text"), str)]
    return [content] if isinstance(content, str) else []


def with_texts(message: Message, change: Callable[[str], str]) -> Message:
    """The message with its templates changed."""
    content = message.get("content")
    if isinstance(content, str):
        return {**message, "content": change(content)}
    if isinstance(content, list):
        parts = [
            {**part, "text": change(part["text"])} if isinstance(part.get("text"), str) else part
            for part in content
        ]
        return {**message, "content": parts}
    return message


def checked(given: Mapping[str, Json]) -> Content:
    """Content from what somebody sent, with the variables found in it added to those described.

    Raises:
        InvalidInput: a part has another shape than it must have; the sentence names it.
        BadTemplate: a template cannot be read.
    """
    content = Content(
        body=_body(given.get("body")),
        syntax=_syntax(given.get("syntax") or PromptVersion.Syntax.MUSTACHE),
        variables=[_variable(one) for one in _list(given, "variables")],
        few_shot=[_shot(one) for one in _list(given, "few_shot")],
        tools=[_object(one, "a tool") for one in _list(given, "tools")],
        response_schema=_object_or_none(given.get("response_schema"), "response_schema"),
        settings=_object_or_none(given.get("settings"), "settings") or {},
    )
    _require_storable(content)
    _require_readable(content)
    if content.few_shot and content.kind == Prompt.Kind.TEXT:
        raise InvalidInput("few_shot goes with chat messages. Write the examples into the text.")
    return replace(content, variables=_all_variables(content))


def needed_variables(content: Content) -> dict[str, str]:
    """Names with the type their use tells; snippets are left out.

    Raises:
        BadTemplate: a template cannot be read; the sentence names the message, line and column.
    """
    found: dict[str, str] = {}
    for where, text in content.templates():
        try:
            refs_in(text)
            here = variables_in(SNIPPET.sub(_blank, text), content.syntax)
        except BadTemplate as problem:
            raise problem.within(where) from problem
        found |= {name: kind for name, kind in here.items() if found.get(name) != "object"}
    for message in content.messages:
        if message.get("type") == PLACEHOLDER:
            found[message["name"]] = "list"
    return found


def _blank(snippet: Any) -> str:
    """Nothing, as long as the snippet is, so that places stay what they are."""
    return str(snippet[0]) if snippet["escape"] else " " * len(snippet[0])


def _all_variables(content: Content) -> list[dict[str, Json]]:
    """Those used, in order of their use, then those only described; so the order says nothing."""
    described = {one["name"]: one for one in content.variables}
    if len(described) < len(content.variables):
        raise InvalidInput("variables names one twice. Describe each once.")
    found = needed_variables(content).items()
    used = {name: described.get(name, {"name": name, "type": kind}) for name, kind in found}
    return list((used | described).values())


def _body(body: Json) -> str | list[Message]:
    if isinstance(body, str):
        if not body.strip():
            raise InvalidInput("The prompt is empty. Write its text.")
        return body
    if not isinstance(body, list) or not body:
        raise InvalidInput(
            'body must be a text, or a list of messages such as {"role": "user", "content": "…"}.'
        )
    return _messages(body, "body")


def _messages(rows: Json, where: str) -> list[Message]:
    if not isinstance(rows, list) or len(rows) > MAX_ITEMS:
        raise InvalidInput(f"{where} must be a list of at most {MAX_ITEMS} messages.")
    return [_message(row, f"{where}, message {n}") for n, row in enumerate(rows, start=1)]


def _message(row: Json, where: str) -> Message:
    row = _object(row, where)
    if row.get("type") == PLACEHOLDER:
        return {"type": PLACEHOLDER, "name": _variable_name(row.get("name"), where)}
    if row.get("role") not in ROLES:
        raise InvalidInput(f"{where}: role must be one of: {', '.join(ROLES)}.")
    unknown = sorted(set(row) - _MESSAGE_KEYS)
    if unknown:
        raise InvalidInput(f"{where}: a message has no {', '.join(unknown)[:80]}.")
    content = row.get("content")
    if not (isinstance(content, str) or _are_parts(content) or row.get("tool_calls")):
        raise InvalidInput(f"{where}: content must be a text, or a list of parts.")
    first: Message = {"role": row["role"]}
    if "content" in row:
        first["content"] = content
    return {**first, **row}


def _are_parts(content: Json) -> bool:
    return (
        isinstance(content, list)
        and bool(content)
        and all(isinstance(part, dict) and isinstance(part.get("type"), str) for part in content)
    )


def _shot(row: Json) -> dict[str, Json]:
    row = _object(row, "few_shot")
    messages = _messages(row.get("messages"), "few_shot")
    if set(row) != {"messages"} or not messages:
        raise InvalidInput('Each of few_shot must be {"messages": […]}.')
    return {"messages": messages}


def _variable(row: Json) -> dict[str, Json]:
    row = _object(row, "a variable")
    name = _variable_name(row.get("name"), "variables")
    kind = row.get("type", "text")
    if kind not in TYPES:
        raise InvalidInput(f"variables, {name}: type must be one of: {', '.join(TYPES)}.")
    described = {"name": name, "type": kind}
    if row.get("description"):
        described["description"] = str(row["description"])
    if row.get("example") is not None:
        described["example"] = row["example"]
    return described


def _variable_name(name: Json, where: str) -> str:
    if not isinstance(name, str) or not VARIABLE.fullmatch(name):
        raise InvalidInput(
            f"{where}: “{str(name)[:40]}” cannot name a variable. Use letters, digits and _."
        )
    return name


def _syntax(syntax: Json) -> str:
    if syntax not in PromptVersion.Syntax.values:
        raise InvalidInput(f"syntax must be one of: {', '.join(PromptVersion.Syntax.values)}.")
    return str(syntax)


def _list(given: Mapping[str, Json], name: str) -> list[Json]:
    rows = given.get(name) or []
    if not isinstance(rows, list) or len(rows) > MAX_ITEMS:
        raise InvalidInput(f"{name} must be a list of at most {MAX_ITEMS}.")
    return rows


def _object(row: Json, where: str) -> dict[str, Json]:
    if not isinstance(row, dict):
        raise InvalidInput(f"{where} must be an object.")
    return dict(row)


def _object_or_none(row: Json, where: str) -> dict[str, Json] | None:
    return None if row is None else _object(row, where)


def _require_readable(content: Content) -> None:
    """Jinja takes long to read."""
    size = sum(len(text) for _, text in content.templates())
    if content.syntax == PromptVersion.Syntax.JINJA and size > jinja.MOST_CHARACTERS:
        raise InvalidInput(
            "The templates are longer than 128 KiB, which is the most for Jinja. Shorten them, or "
            "write {{variable}} only."
        )


def _require_storable(content: Content) -> None:
    """Postgres keeps no NUL, UTF-8 no half characters, JSON no infinity."""
    try:
        written = json.dumps(asdict(content), ensure_ascii=False, allow_nan=False)
        size = len(written.encode())
    except (TypeError, ValueError, RecursionError) as problem:  # no JSON, or no UTF-8
        raise InvalidInput("The prompt holds a number or a character no JSON can.") from problem
    if "\\u0000" in written.replace("\\\\", ""):
        raise InvalidInput("The prompt holds a NUL character. Remove it.")
    if size > MAX_BYTES:
        raise InvalidInput("The prompt is longer than 1 MiB. Shorten it.")
