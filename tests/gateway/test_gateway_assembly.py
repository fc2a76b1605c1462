"""A captured stream becomes the completion it stands for, wherever it was split."""

from __future__ import annotations

from typing import Any

from tests.gateway.upstream import STREAM, chunk, sse
from workbench.gateway.assembly.chat import assemble


def message_of(raw: bytes) -> dict[str, Any]:
    completion = assemble(raw).answer
    assert completion is not None
    message: dict[str, Any] = completion["choices"][0]["message"]
    return message


def test_text_usage_and_finish_reason_come_together() -> None:
    whole = assemble(STREAM)

    assert whole.is_whole
    assert whole.answer is not None
    assert whole.answer["object"] == "chat.completion"
    assert whole.answer["choices"][0] == {
        "index": 0,
        "message": {"role": "assistant", "content": "Grüß dich 😀"},
        "finish_reason": "stop",
    }
    assert whole.answer["usage"] == {"prompt_tokens": 5, "completion_tokens": 4}


def test_interleaved_tool_calls_are_put_together_by_their_index() -> None:
    def call(index: int, **function: str) -> dict[str, Any]:
        return chunk({"tool_calls": [{"index": index, "function": function}]})

    opening = [
        {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}},
        {"index": 1, "id": "b", "type": "function", "function": {"name": "g", "arguments": ""}},
    ]
    raw = sse(
        chunk({"role": "assistant", "content": None, "tool_calls": opening}),
        call(1, arguments='{"x"'),
        call(0, arguments="{"),
        call(1, arguments=":1}"),
        call(0, arguments="}"),
        chunk({}, finish_reason="tool_calls"),
        "[DONE]",
    )

    assert message_of(raw) == {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            {"id": "b", "type": "function", "function": {"name": "g", "arguments": '{"x":1}'}},
        ],
    }


def test_line_ends_comments_and_a_missing_last_line_do_not_matter() -> None:
    for end in ("\n\n", "\r\n\r\n", "\r\r"):
        raw = (
            b": ping"
            + end.encode()
            + sse(chunk({"content": "a"}), chunk({"content": "b"}), end=end)
        )

        assert message_of(raw + b"data: [DONE]")["content"] == "ab"
        assert assemble(raw + b"data: [DONE]").is_whole


def test_every_prefix_of_a_stream_gives_a_prefix_of_its_text() -> None:
    for end in range(len(STREAM)):
        completion = assemble(STREAM[:end]).answer
        text = completion["choices"][0]["message"]["content"] if completion else ""

        assert "Grüß dich 😀".startswith(text or "")


def test_a_second_done_and_events_that_are_no_objects_are_passed_over() -> None:
    raw = sse(chunk({"content": "a"}), "hello", "[1]", "[DONE]", "[DONE]")

    assert message_of(raw)["content"] == "a"


def test_several_choices_stay_apart() -> None:
    second = {**chunk({"content": "two"}), "choices": [{"index": 1, "delta": {"content": "two"}}]}

    completion = assemble(sse(second, chunk({"content": "one"}))).answer

    assert completion is not None
    texts = [choice["message"]["content"] for choice in completion["choices"]]
    assert texts == ["one", "two"]
