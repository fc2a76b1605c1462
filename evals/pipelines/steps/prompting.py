"""Asking a model about a row: once, or several times for samples to choose from."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from evals.graders.base import Answered, BadSettings
from evals.graders.registry import GRADERS
from evals.graders.structured import MISSING, parsed
from evals.pipelines import templates
from evals.pipelines.steps.base import (
    ANSWER_SECONDS,
    Asker,
    BadStep,
    Given,
    Outcome,
    Place,
    Question,
    Ready,
    Settings,
    StepKind,
)
from prompts.content import Content
from workbench.providers.chat import ChatReply
from workbench.providers.failures import CallFailed, Kind
from workbench.providers.refs import parse_ref

MOST_SAMPLES = 64
LONGEST_ANSWER_SECONDS = 600
PARAMETERS = frozenset(
    {
        "temperature", "max_tokens", "max_completion_tokens", "top_p", "seed", "stop",
        "presence_penalty", "frequency_penalty", "reasoning_effort", "tool_choice", "logprobs",
        "top_logprobs", "verbosity",
    }
)  # fmt: skip


@dataclass(frozen=True)
class _Asking:
    """Everything that is the same for every row."""

    model: str
    content: Content | None
    parameters: Mapping[str, Any]
    schema: Mapping[str, Any] | None
    seconds: float
    reuse: bool
    check: Callable[[ChatReply], None] | None

    def question(self, messages: list[dict[str, Any]], sample: int = 0) -> Question:
        return Question(
            self.model, messages, self.parameters, sample, self.reuse, self.seconds, self.check
        )

    def estimated(self, samples: int, given: Given) -> list[Question]:
        messages = templates.render(self.content, given.variables)
        return [self.question(messages, sample) for sample in range(samples)]

    def value(self, reply: ChatReply) -> Any:
        """What later steps see of an answer: its text, or what is in it where it is JSON."""
        message = reply.message
        if message.get("tool_calls"):
            return {"content": message.get("content"), "tool_calls": message["tool_calls"]}
        text = message.get("content") or ""
        return parsed(text) if self.schema else text


def _asking(place: Place, settings: Settings) -> tuple[_Asking, Any]:
    parse_ref(settings["model"])
    _check_parameters(settings["parameters"])
    ref, content = templates.content_from(
        place.project, prompt=settings["prompt"], template=settings["template"],
        pinned=place.pinned, key=place.name,
    )  # fmt: skip
    schema = settings["response_schema"] or (content.response_schema if content else None)
    tools = settings["tools"] or (content.tools if content else [])
    own = {k: v for k, v in (content.settings if content else {}).items() if k in PARAMETERS}
    parameters: dict[str, Any] = {**own, **settings["parameters"]}
    if tools:
        parameters["tools"] = tools
    if schema:
        parameters["response_format"] = response_format(schema)
    asking = _Asking(
        settings["model"], content, parameters, schema, settings["seconds"], settings["reuse"],
        _check_of(schema),
    )  # fmt: skip
    return asking, templates.as_pinned(ref, content)


def _prompt(place: Place, settings: Settings) -> Ready:
    asking, pinned = _asking(place, settings)

    async def work(given: Given, asker: Asker) -> Outcome:
        messages = await templates.messages_for(asking.content, given.variables)
        return Outcome(asking.value(await asker.ask(asking.question(messages))))

    return _ready(asking, work, pinned, samples=1)


def _sample(place: Place, settings: Settings) -> Ready:
    asking, pinned = _asking(place, settings)
    many: int = settings["samples"]

    async def work(given: Given, asker: Asker) -> Outcome:
        messages = await templates.messages_for(asking.content, given.variables)
        questions = [asking.question(messages, sample) for sample in range(many)]
        replies = await asyncio.gather(*(asker.ask(one) for one in questions))
        return Outcome([asking.value(reply) for reply in replies])

    return _ready(asking, work, pinned, samples=many)


def _ready(asking: _Asking, work: Any, pinned: Any, *, samples: int) -> Ready:
    return Ready(
        work,
        needs=templates.needs_of(asking.content),
        models=(asking.model,),
        questions=partial(asking.estimated, samples),
        pinned=pinned,
    )


def _check_parameters(parameters: Mapping[str, Any]) -> None:
    unknown = sorted(set(parameters) - PARAMETERS)
    if unknown:
        known = ", ".join(sorted(PARAMETERS))
        raise BadStep(f"There is no parameter “{unknown[0][:40]}”. There are: {known}.")


def response_format(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema as the parameter that holds a model to it."""
    if "json_schema" in schema:  # the whole format, as providers take it
        return dict(schema)
    named = {"name": "answer", "schema": dict(schema), "strict": False}
    return {"type": "json_schema", "json_schema": named}


def _check_of(schema: Mapping[str, Any] | None) -> Callable[[ChatReply], None] | None:
    if not schema:
        return None
    inner = schema.get("json_schema", {}).get("schema", schema)
    try:
        grade = GRADERS["json_schema"].make({"schema": inner})
    except BadSettings as problem:
        raise BadStep(str(problem)) from problem

    def check(reply: ChatReply) -> None:
        text = reply.message.get("content") or ""
        if reply.message.get("tool_calls"):
            return
        if parsed(text) is MISSING or grade(Answered(text, "")) < 1:
            raise CallFailed(
                "The answer does not fit the response schema.", kind=Kind.UNFIT, answered=200
            )

    return check


_FIELDS: dict[str, dict[str, Any]] = {
    "model": {
        "type": "string", "minLength": 1, "maxLength": 300, "title": "Model",
        "description": "Any model ref, such as openai/gpt-5-mini or my-model@production.",
        "format": "model-ref",
    },
    "prompt": {
        "type": "string", "maxLength": 300, "title": "Prompt",
        "description": "A prompt of the registry, such as support/triage@production. Left empty, "
        "the template below counts.",
        "default": "", "format": "prompt-ref",
    },
    "template": {
        "type": ["string", "array"], "title": "Template",
        "description": "A text or a list of messages with {{variables}}: the row's columns and the "
        "names of earlier steps. Left empty too, the row's own messages are sent.",
        "default": "", "format": "template",
    },
    "parameters": {
        "type": "object", "title": "Parameters",
        "description": "Such as temperature and max_tokens; over the prompt's own.",
        "default": {},
    },
    "response_schema": {
        "type": ["object", "null"], "title": "Response schema",
        "description": "A JSON schema: the answer is JSON that fits it, and its fields can be used "
        "as {{step.field}}.",
        "default": None,
    },
    "tools": {
        "type": "array", "title": "Tools", "description": "Definitions of tools on offer.",
        "items": {"type": "object"}, "default": [],
    },
    "seconds": {
        "type": "number", "minimum": 1, "maximum": LONGEST_ANSWER_SECONDS, "title": "Seconds",
        "description": "How long an answer may take before it is asked for again.",
        "default": ANSWER_SECONDS,
    },
    "reuse": {
        "type": "boolean", "title": "Reuse answers",
        "description": "The same question is paid for once in this project.", "default": True,
    },
}  # fmt: skip
PROMPT = StepKind(
    name="prompt",
    label="Prompt",
    help="Asks a model about each row. This is the teacher.",
    prepare=_prompt,
    fields=_FIELDS,
)
SAMPLE = StepKind(
    name="sample",
    label="Samples",
    help="Asks a model the same several times, for a later step to choose from.",
    prepare=_sample,
    fields={
        **_FIELDS,
        "samples": {
            "type": "integer", "minimum": 2, "maximum": MOST_SAMPLES, "title": "Samples",
            "description": "How often each row is asked about.", "default": 4,
        },
    },
)  # fmt: skip
