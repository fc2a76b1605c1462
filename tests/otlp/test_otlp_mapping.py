"""Attributes as senders write them, one golden call a convention. Pure: no database."""

from __future__ import annotations

import json
from typing import Any

import pytest

from requests_log.calls import Call, Span
from requests_log.otlp.mapping import Origin, map_spans
from requests_log.otlp.spans import OtelSpan
from tests.otlp.spans import event, make_span

TOOL = {"name": "weather", "description": "The weather.", "parameters": {"type": "object"}}
CITY = '{"city": "Graz"}'
CALLS = [{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": CITY}}]
ASKED: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "What is the weather?"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": CALLS,
    },
    {"role": "tool", "tool_call_id": "c1", "content": "rain"},
]
ANSWER = {"role": "assistant", "content": "Rain."}


def item_of(*spans: OtelSpan) -> Call | Span:
    return map_spans(spans, Origin(1, 2))[0].item


def call_of(attributes: dict[str, Any], **fields: Any) -> Call:
    item = item_of(make_span(attributes, **fields))
    assert isinstance(item, Call)
    return item


def asked_by(call: Call) -> Any:
    return json.loads(call.request)


def answered(call: Call) -> Any:
    return json.loads(call.response or b"null")


CURRENT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-test",
    "gen_ai.response.model": "gpt-test-2026",
    "gen_ai.system_instructions": '[{"type": "text", "content": "Be brief."}]',
    "gen_ai.input.messages": json.dumps(
        [
            {"role": "user", "parts": [{"type": "text", "content": "What is the weather?"}]},
            {
                "role": "assistant",
                "parts": [{"type": "tool_call", "id": "c1", "name": "weather", "arguments": CITY}],
            },
            {
                "role": "tool",
                "parts": [{"type": "tool_call_response", "id": "c1", "response": "rain"}],
            },
        ]
    ),
    "gen_ai.output.messages": json.dumps(
        [
            {
                "role": "assistant",
                "parts": [{"type": "text", "content": "Rain."}],
                "finish_reason": "stop",
            }
        ]
    ),
    "gen_ai.tool.definitions": json.dumps([{"type": "function", **TOOL}]),
    "gen_ai.usage.input_tokens": 30,
    "gen_ai.usage.output_tokens": 7,
    "gen_ai.usage.cache_read.input_tokens": 10,
    "gen_ai.usage.reasoning.output_tokens": 3,
    "gen_ai.response.time_to_first_chunk": 0.25,
    "gen_ai.conversation.id": "s-7",
    "user.id": "u-1",
}
OLDER = {
    "llm.request.type": "chat",
    "gen_ai.system": "OpenAI",
    "gen_ai.request.model": "gpt-test",
    "gen_ai.response.model": "gpt-test-2026",
    "gen_ai.prompt.0.role": "system",
    "gen_ai.prompt.0.content": "Be brief.",
    "gen_ai.prompt.1.role": "user",
    "gen_ai.prompt.1.content": "What is the weather?",
    "gen_ai.prompt.2.role": "assistant",
    "gen_ai.prompt.2.tool_calls.0.id": "c1",
    "gen_ai.prompt.2.tool_calls.0.name": "weather",
    "gen_ai.prompt.2.tool_calls.0.arguments": CITY,
    "gen_ai.prompt.3.role": "tool",
    "gen_ai.prompt.3.tool_call_id": "c1",
    "gen_ai.prompt.3.content": "rain",
    "gen_ai.completion.0.role": "assistant",
    "gen_ai.completion.0.content": "Rain.",
    "gen_ai.completion.0.finish_reason": "stop",
    "llm.request.functions.0.name": "weather",
    "llm.request.functions.0.description": "The weather.",
    "llm.request.functions.0.parameters": '{"type": "object"}',
    "gen_ai.usage.prompt_tokens": 30,
    "gen_ai.usage.completion_tokens": 7,
    "gen_ai.usage.cache_read_input_tokens": 10,
    "gen_ai.usage.reasoning_tokens": 3,
    "traceloop.association.properties.user_id": "u-1",
    "traceloop.association.properties.session_id": "s-7",
}
INDEXED = {
    "openinference.span.kind": "LLM",
    "llm.system": "openai",
    "llm.request.model_name": "gpt-test",
    "llm.model_name": "gpt-test-2026",
    "llm.input_messages.0.message.role": "system",
    "llm.input_messages.0.message.content": "Be brief.",
    "llm.input_messages.1.message.role": "user",
    "llm.input_messages.1.message.contents.0.message_content.type": "text",
    "llm.input_messages.1.message.contents.0.message_content.text": "What is the weather?",
    "llm.input_messages.2.message.role": "assistant",
    "llm.input_messages.2.message.tool_calls.0.tool_call.id": "c1",
    "llm.input_messages.2.message.tool_calls.0.tool_call.function.name": "weather",
    "llm.input_messages.2.message.tool_calls.0.tool_call.function.arguments": CITY,
    "llm.input_messages.3.message.role": "tool",
    "llm.input_messages.3.message.tool_call_id": "c1",
    "llm.input_messages.3.message.content": "rain",
    "llm.output_messages.0.message.role": "assistant",
    "llm.output_messages.0.message.content": "Rain.",
    "llm.finish_reason": "stop",
    "llm.tools.0.tool.json_schema": json.dumps({"type": "function", "function": TOOL}),
    "llm.token_count.prompt": 30,
    "llm.token_count.completion": 7,
    "llm.token_count.prompt_details.cache_read": 10,
    "llm.token_count.completion_details.reasoning": 3,
    "session.id": "s-7",
    "user.id": "u-1",
    # What a framework puts here is no request of a provider's.
    "input.value": '{"messages": [[{"lc": 1, "type": "constructor"}]]}',
    "input.mime_type": "application/json",
}
LANGFUSE = {
    "langfuse.observation.type": "generation",
    "gen_ai.system": "openai",
    "langfuse.observation.model.name": "gpt-test",
    "gen_ai.response.model": "gpt-test-2026",
    "langfuse.observation.input": json.dumps(
        {"messages": ASKED, "tools": [{"type": "function", "function": TOOL}]}
    ),
    "langfuse.observation.output": json.dumps(ANSWER),
    "gen_ai.response.finish_reasons": ["stop"],
    "langfuse.observation.usage_details": json.dumps(
        {"input": 30, "output": 7, "input_cached_tokens": 10, "output_reasoning_tokens": 3}
    ),
    "langfuse.user.id": "u-1",
    "session.id": "s-7",
}
VERCEL = {
    "ai.operationId": "ai.generateText.doGenerate",
    "ai.model.provider": "openai.chat",
    "ai.model.id": "gpt-test",
    "ai.response.model": "gpt-test-2026",
    "ai.prompt.messages": json.dumps(
        [
            ASKED[0],
            {"role": "user", "content": [{"type": "text", "text": "What is the weather?"}]},
            {
                "role": "assistant",
                "content": [
                    {
                        "type": "tool-call",
                        "toolCallId": "c1",
                        "toolName": "weather",
                        "input": CITY,
                    }
                ],
            },
            {
                "role": "tool",
                "content": [{"type": "tool-result", "toolCallId": "c1", "output": "rain"}],
            },
        ]
    ),
    "ai.prompt.tools": [json.dumps({"type": "function", **TOOL})],
    "ai.response.text": "Rain.",
    "ai.response.finishReason": "stop",
    "ai.usage.inputTokens": 30,
    "ai.usage.outputTokens": 7,
    "ai.usage.cachedInputTokens": 10,
    "ai.usage.reasoningTokens": 3,
    "ai.telemetry.metadata.userId": "u-1",
    "ai.telemetry.metadata.sessionId": "s-7",
}


@pytest.mark.parametrize(
    "attributes",
    [CURRENT, OLDER, INDEXED, LANGFUSE, VERCEL],
    ids=["current", "traceloop before 0.5", "openinference", "langfuse", "vercel"],
)
def test_every_convention_tells_the_same_call(attributes: dict[str, Any]) -> None:
    call = call_of(attributes)

    request, response = asked_by(call), answered(call)
    assert (call.operation, call.provider, call.model) == ("chat", "openai", "gpt-test")
    assert request["messages"] == ASKED
    assert request["tools"] == [{"type": "function", "function": TOOL}]
    assert response["model"] == "gpt-test-2026"
    (choice,) = response["choices"]
    assert choice == {"index": 0, "message": ANSWER, "finish_reason": "stop"}
    assert response["usage"] == {
        "prompt_tokens": 30,
        "completion_tokens": 7,
        "total_tokens": 37,
        "prompt_tokens_details": {"cached_tokens": 10},
        "completion_tokens_details": {"reasoning_tokens": 3},
    }
    assert (call.end_user, call.session) == ("u-1", "s-7")
    assert (call.duration_ms, call.status, call.source) == (1000.0, "ok", "otlp")
    assert (call.project_id, call.key_id) == (1, 2)


def test_content_that_came_as_events_is_read() -> None:
    call = call_of(
        {"gen_ai.system": "openai", "gen_ai.request.model": "gpt-test"},
        events=[
            event("gen_ai.system.message", {"content": "Be brief."}),
            event("gen_ai.user.message", {"content": "What is the weather?"}),
            event("gen_ai.assistant.message", {"tool_calls": json.dumps(CALLS)}),
            event("gen_ai.tool.message", {"content": "rain", "id": "c1"}),
            event("gen_ai.choice", {"finish_reason": "stop", "message": json.dumps(ANSWER)}),
        ],
    )

    assert asked_by(call)["messages"] == ASKED
    assert answered(call)["choices"][0]["message"] == ANSWER


def test_content_in_the_event_of_the_current_convention_is_read() -> None:
    name = "gen_ai.client.inference.operation.details"
    content = {key: value for key, value in CURRENT.items() if "messages" in key}
    rest = {key: value for key, value in CURRENT.items() if key not in content}

    call = call_of(rest, events=[event(name, content)])

    assert asked_by(call)["messages"] == ASKED


def test_structured_values_are_read_like_their_json() -> None:
    structured = {
        name: json.loads(str(value)) if name.endswith("messages") else value
        for name, value in CURRENT.items()
    }

    assert call_of(structured).request == call_of(CURRENT).request


def test_prompt_tags_and_surroundings_are_read() -> None:
    call = call_of(
        CURRENT
        | {
            "langfuse.observation.prompt.name": "triage",
            "langfuse.observation.prompt.version": 3,
            "llm.prompt_template.variables": '{"ticket": "x"}',
            "traceloop.prompt.template_variables": '{"ticket": "x"}',
            "langfuse.trace.tags": ["beta"],
            "langfuse.trace.metadata.route": "checkout",
            "metadata": '{"plan": "pro", "seats": 3, "nested": {}}',
            "langfuse.environment": "staging",
            "langfuse.release": "9",
        },
        resource={"service.name": "shop", "deployment.environment": "production"},
    )

    assert (call.prompt_name, call.prompt_version) == ("triage", 3)
    assert json.loads(call.variables or b"") == {"ticket": "x"}
    tags = {"beta": "true", "route": "checkout", "plan": "pro", "seats": "3", "service": "shop"}
    assert call.tags == tags
    assert (call.environment, call.release) == ("staging", "9")


def test_a_version_that_is_no_number_becomes_a_tag() -> None:
    call = call_of(CURRENT | {"gen_ai.prompt.name": "triage", "gen_ai.prompt.version": "blue"})

    assert (call.prompt_name, call.prompt_version) == ("triage", None)
    assert call.tags["prompt_version"] == "blue"


def test_a_call_without_content_is_still_a_call() -> None:
    named = {name: value for name, value in CURRENT.items() if "messages" not in name}

    call = call_of(named | {"gen_ai.response.finish_reasons": ["tool_call"]})

    assert asked_by(call)["messages"][1:] == []
    assert answered(call)["choices"][0]["finish_reason"] == "tool_calls"
    assert answered(call)["usage"]["prompt_tokens"] == 30


def test_pictures_and_thoughts_are_kept() -> None:
    parts = [
        {"type": "text", "content": "What is this?"},
        {"type": "blob", "modality": "image", "mime_type": "image/png", "content": "iVBOR"},
    ]
    thought = [{"type": "reasoning", "content": "Hm."}, {"type": "text", "content": "A cat."}]
    call = call_of(
        CURRENT
        | {
            "gen_ai.system_instructions": "",
            "gen_ai.input.messages": json.dumps([{"role": "user", "parts": parts}]),
            "gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": thought}]),
        }
    )

    (message,) = asked_by(call)["messages"]
    assert message["content"][1]["image_url"]["url"] == "data:image/png;base64,iVBOR"
    assert answered(call)["choices"][0]["message"] == {
        "role": "assistant",
        "content": "A cat.",
        "reasoning_content": "Hm.",
    }


def test_what_anthropic_counts_apart_is_added_up() -> None:
    call = call_of(
        CURRENT | {"gen_ai.usage.input_tokens": 5, "gen_ai.usage.cache_read.input_tokens": 100}
    )

    assert answered(call)["usage"]["prompt_tokens"] == 105


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        ({}, "span"),
        ({"http.request.method": "GET"}, "span"),
        ({"gen_ai.operation.name": "invoke_agent", "gen_ai.request.model": "m"}, "agent"),
        ({"gen_ai.operation.name": "execute_tool"}, "tool"),
        ({"traceloop.span.kind": "workflow"}, "chain"),
        ({"openinference.span.kind": "RETRIEVER"}, "retriever"),
        ({"openinference.span.kind": "GUARDRAIL"}, "guardrail"),
        ({"openinference.span.kind": "SOMETHING NEW"}, "span"),
        ({"langfuse.observation.type": "agent"}, "agent"),
        ({"ai.operationId": "ai.generateText"}, "chain"),
        ({"ai.operationId": "ai.toolCall"}, "tool"),
    ],
)
def test_what_is_no_call_is_a_step(attributes: dict[str, Any], kind: str) -> None:
    step = item_of(make_span(attributes, name="step"))

    assert isinstance(step, Span)
    assert (step.kind, step.name) == (kind, "step")
    assert json.loads(step.attributes or b"{}") == attributes


def test_a_tools_arguments_and_result_are_its_input_and_output() -> None:
    step = item_of(
        make_span(
            {
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.call.arguments": CITY,
                "gen_ai.tool.call.result": "rain",
            }
        )
    )

    assert isinstance(step, Span)
    assert json.loads(step.input or b"") == {"city": "Graz"}
    assert json.loads(step.output or b"") == "rain"


def test_a_call_recorded_twice_is_one_row_that_knows_what_both_know() -> None:
    outer = make_span(
        {"openinference.span.kind": "LLM", "llm.model_name": "m", "prompt.id": "triage",
         "metadata": '{"route": "checkout"}'}
    )  # fmt: skip
    inner = make_span(CURRENT, parent_id=outer.span_id)

    step, call = (one.item for one in map_spans([outer, inner], Origin(1)))

    assert isinstance(step, Span)
    assert step.kind == "chain"
    assert isinstance(call, Call)
    assert (call.prompt_name, call.tags) == ("triage", {"route": "checkout"})


def test_of_a_call_recorded_twice_the_one_with_content_is_kept() -> None:
    outer = make_span(CURRENT)
    inner = make_span(
        {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}, parent_id=outer.span_id
    )

    call, step = (one.item for one in map_spans([outer, inner], Origin(1)))

    assert isinstance(call, Call)
    assert isinstance(step, Span)


def test_a_call_belongs_to_the_conversation_around_it() -> None:
    root = make_span({"session.id": "s-1", "user.id": "u-9"})
    agent = make_span({"user.id": "u-2"}, parent_id=root.span_id)
    plain = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}

    call = item_of(make_span(plain, parent_id=agent.span_id), agent, root)

    assert (call.end_user, call.session) == ("u-2", "s-1")


def test_a_loop_of_parents_ends() -> None:
    first = make_span(span_id="aa" * 8, parent_id="bb" * 8)
    second = make_span(span_id="bb" * 8, parent_id="aa" * 8)

    assert len(map_spans([first, second], Origin(1))) == 2


def test_errors_are_told_with_type_and_message() -> None:
    raised = event(
        "exception", {"exception.type": "openai.RateLimitError", "exception.message": "Slow."}
    )

    by_event = call_of(CURRENT, status=2, events=[raised])
    by_attribute = call_of(CURRENT | {"error.type": "429"}, status=2, status_message="Too many.")
    by_level = call_of(
        LANGFUSE
        | {
            "langfuse.observation.level": "ERROR",
            "langfuse.observation.status_message": "It broke.",
        }
    )

    assert (by_event.error_type, by_event.error_message) == ("openai.RateLimitError", "Slow.")
    assert (by_attribute.http_status, by_attribute.error_message) == (429, "Too many.")
    assert (by_level.status, by_level.error_message) == ("error", "It broke.")


@pytest.mark.parametrize("value", [None, 1, 1.5, True, "", "{", "[1]", "{}", [1], {"a": [None]}])
@pytest.mark.parametrize("convention", [CURRENT, OLDER, INDEXED, LANGFUSE, VERCEL])
def test_attributes_of_another_type_stop_nothing(convention: dict[str, Any], value: Any) -> None:
    for name in convention:
        item = item_of(make_span(convention | {name: value}))

        assert isinstance(item, Call | Span)


def test_lone_surrogates_in_a_message_stay_as_they_were_sent() -> None:
    text = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "\ud800"}]}])

    call = call_of(CURRENT | {"gen_ai.input.messages": text})

    assert asked_by(call)["messages"][-1]["content"] == "\ud800"


def test_whatever_a_reader_meets_the_span_is_kept() -> None:
    deep: Any = "x"
    for _ in range(100):
        deep = [deep]

    step = item_of(make_span({"gen_ai.input.messages": deep, "a": deep}, name="odd"))

    assert isinstance(step, Span)
    assert step.name == "odd"
