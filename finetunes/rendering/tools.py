"""Tool calls: stored as OpenAI's JSON strings, given to each template as it needs them.

Template families disagree whether `arguments` is a string or an object, so each template is
asked once, with a harmless call, which form it writes faithfully.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias, cast

from finetunes.rendering.messages import Message, RenderSettings
from finetunes.rendering.problems import RowProblem
from finetunes.rendering.tokenizer import ChatTokenizer, chat_text

Form: TypeAlias = Literal["object", "string", "unsupported"]

_PROBE_KEY, _PROBE_VALUE = "probe_key", "probe_value"
_forms: dict[str, Form] = {}


def with_tool_arguments(
    tokenizer: ChatTokenizer, messages: Sequence[Message], settings: RenderSettings
) -> list[Message]:
    """The messages with every tool call's arguments in the form this template needs.

    Raises:
        RowProblem: arguments are not a JSON object, or the template has no tool calls.
    """
    if not any(message.get("tool_calls") for message in messages):
        return list(messages)
    form = argument_form(tokenizer, settings)
    if form == "unsupported":
        raise RowProblem(
            "tool_calls_unsupported",
            "The row holds tool calls, and the base model's chat template cannot write them. "
            "Choose a base model with tool support, or leave these rows out.",
        )
    return [_converted(message, form) for message in messages]


def argument_form(tokenizer: ChatTokenizer, settings: RenderSettings) -> Form:
    """Which form of `arguments` this tokenizer's template writes faithfully.

    Objects win where both work, because vLLM and transformers pass objects too.
    """
    key = json.dumps([tokenizer.chat_template, dict(settings.template_kwargs)], default=str)
    if key not in _forms:
        _forms[key] = _ask_template(tokenizer, settings)
    return _forms[key]


def _ask_template(tokenizer: ChatTokenizer, settings: RenderSettings) -> Form:
    arguments = {_PROBE_KEY: _PROBE_VALUE}
    text = _probe(tokenizer, arguments, settings)
    if _PROBE_KEY in text and _PROBE_VALUE in text and f"'{_PROBE_KEY}'" not in text:
        return "object"
    if json.dumps(arguments) in _probe(tokenizer, json.dumps(arguments), settings):
        return "string"
    return "unsupported"


def _probe(tokenizer: ChatTokenizer, arguments: object, settings: RenderSettings) -> str:
    """How the template writes one call; an empty text where it refuses."""
    function = {"name": "probe", "arguments": arguments}
    # Nine letters and digits, because Mistral's templates check the length of the id.
    call = {"id": "probe0001", "type": "function", "function": function}
    messages: list[Message] = [
        {"role": "user", "content": "probe"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
    ]
    try:
        return chat_text(
            tokenizer, messages, tools=None, settings=settings, generation_prompt=False
        )
    except RowProblem:
        return ""


def _converted(message: Message, form: Form) -> Message:
    calls = message.get("tool_calls")
    if not calls:
        return message
    if not isinstance(calls, list):
        raise _bad_call("`tool_calls` is not a list")
    return {**message, "tool_calls": [_converted_call(call, form) for call in calls]}


def _converted_call(call: object, form: Form) -> Message:
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise _bad_call("a tool call names no function")
    parsed = _parsed(function.get("arguments"))
    arguments: object = parsed if form == "object" else json.dumps(parsed, ensure_ascii=False)
    if form == "string" and isinstance(function.get("arguments"), str):
        arguments = function["arguments"]
    return {
        **cast(Message, call),
        "type": "function",
        "function": {"name": function["name"], "arguments": arguments},
    }


def _parsed(arguments: object) -> dict[str, object]:
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments or "{}")
        except ValueError as error:
            raise _bad_call(f"the arguments are not JSON ({error})") from error
    if arguments is None:
        arguments = {}
    if not isinstance(arguments, dict):
        raise _bad_call("the arguments are not a JSON object")
    return arguments


def _bad_call(what: str) -> RowProblem:
    return RowProblem("bad_tool_call", f"In a tool call, {what}. Correct or remove the call.")
