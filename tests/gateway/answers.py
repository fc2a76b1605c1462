"""What providers answer in each of their dialects, whole and as streams."""

from __future__ import annotations

import json
from typing import Any

Document = dict[str, Any]


def named(*events: Document) -> bytes:
    """Events under the name that their type is, as Anthropic and the Responses API send them."""
    return b"".join(
        f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n".encode()
        for event in events
    )


TOOL_COMPLETION: Document = {
    "id": "chatcmpl-3",
    "object": "chat.completion",
    "created": 1_790_000_000,
    "model": "gpt-test-2026",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "weather", "arguments": '{"city": "Köln"}'},
                    }
                ],
            },
            "finish_reason": "tool_calls",
        }
    ],
    "usage": {"prompt_tokens": 20, "completion_tokens": 7, "total_tokens": 27},
}

EMBEDDING: Document = {
    "object": "list",
    "model": "embed-test",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.25, -0.5]}],
    "usage": {"prompt_tokens": 3, "total_tokens": 3},
}

TEXT_COMPLETION: Document = {
    "id": "cmpl-1",
    "object": "text_completion",
    "created": 1_790_000_000,
    "model": "gpt-test-2026",
    "choices": [{"index": 0, "text": " time", "finish_reason": "stop", "logprobs": None}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
}

RESPONSE: Document = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1_790_000_000,
    "status": "completed",
    "model": "gpt-test-2026",
    "error": None,
    "incomplete_details": None,
    "instructions": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "temperature": 1.0,
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
    "output": [
        {
            "id": "msg_1",
            "type": "message",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Grüß dich", "annotations": []}],
        },
        {
            "id": "fc_1",
            "type": "function_call",
            "status": "completed",
            "call_id": "call_1",
            "name": "weather",
            "arguments": '{"city": "Köln"}',
        },
    ],
    "usage": {
        "input_tokens": 11,
        "output_tokens": 5,
        "total_tokens": 16,
        "input_tokens_details": {"cached_tokens": 4},
        "output_tokens_details": {"reasoning_tokens": 2},
    },
}


def response_events() -> list[Document]:
    begun = {**RESPONSE, "status": "in_progress", "output": [], "usage": None}
    message, tool = RESPONSE["output"]
    empty = {**message, "status": "in_progress", "content": []}
    part = {"type": "output_text", "text": "", "annotations": []}
    at = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    text = "response.output_text"
    called = {"item_id": "fc_1", "output_index": 1}
    arguments = "response.function_call_arguments"
    events: list[Document] = [
        {"type": "response.created", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": empty},
        {"type": "response.content_part.added", **at, "part": part},
        {"type": f"{text}.delta", **at, "delta": "Grüß ", "logprobs": []},
        {"type": f"{text}.delta", **at, "delta": "dich", "logprobs": []},
        {"type": f"{text}.done", **at, "text": "Grüß dich", "logprobs": []},
        {"type": "response.output_item.done", "output_index": 0, "item": message},
        {
            "type": "response.output_item.added",
            "output_index": 1,
            "item": {**tool, "arguments": ""},
        },
        {"type": f"{arguments}.delta", **called, "delta": '{"city": '},
        {"type": f"{arguments}.delta", **called, "delta": '"Köln"}'},
        {"type": "response.output_item.done", "output_index": 1, "item": tool},
        {"type": "response.completed", "response": RESPONSE},
    ]
    return [{**event, "sequence_number": n} for n, event in enumerate(events)]


MESSAGE: Document = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-test-20260101",
    "content": [
        {"type": "text", "text": "Grüß dich"},
        {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Köln"}},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 10,
        "cache_read_input_tokens": 4,
        "cache_creation_input_tokens": 0,
        "output_tokens": 6,
    },
}


def message_events() -> list[Document]:
    opening = {**MESSAGE, "content": [], "stop_reason": None}
    opening["usage"] = {**MESSAGE["usage"], "output_tokens": 1}
    tool = {**MESSAGE["content"][1], "input": {}}

    def delta(index: int, kind: str, name: str, text: str) -> Document:
        return {
            "type": "content_block_delta",
            "index": index,
            "delta": {"type": kind, name: text},
        }

    return [
        {"type": "message_start", "message": opening},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        delta(0, "text_delta", "text", "Grüß "),
        delta(0, "text_delta", "text", "dich"),
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": tool},
        delta(1, "input_json_delta", "partial_json", '{"city"'),
        delta(1, "input_json_delta", "partial_json", ': "Köln"}'),
        {"type": "content_block_stop", "index": 1},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "tool_use", "stop_sequence": None},
            "usage": {"output_tokens": 6},
        },
        {"type": "message_stop"},
    ]


RESPONSE_STREAM = named(*response_events())
MESSAGE_STREAM = named(*message_events())
