"""Conversations as people read them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ui.pages import rendered
from workbench.core.transcript import FOLDED_FROM, MOST_SHOWN, Attachment, Text, read_turns

PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
    "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def shown(*messages: Any) -> str:
    return rendered("components/transcript.html", {"messages": list(messages)})


def parts_of(content: Any) -> list[Any]:
    return read_turns([{"role": "user", "content": content}])[0].parts


def call(id_: str, name: str, arguments: str = "{}") -> dict[str, Any]:
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}


def test_the_result_of_a_tool_stands_with_its_call() -> None:
    messages = [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [call("a", "find"), call("b", "open")],
        },
        {"role": "tool", "tool_call_id": "b", "content": "opened"},
        {"role": "tool", "tool_call_id": "a", "content": "found"},
        {"role": "tool", "tool_call_id": "c", "content": "of a call before"},
    ]

    turns = read_turns(messages)

    assert [turn.role for turn in turns] == ["assistant", "tool"]
    assert [(one.name, one.results) for one in turns[0].calls] == [
        ("find", [[Text("found")]]),
        ("open", [[Text("opened")]]),
    ]
    assert turns[1].answers == "c"


def test_an_older_function_call_is_paired_by_its_name() -> None:
    messages = [
        {"role": "assistant", "function_call": {"name": "find", "arguments": '{"q": 1}'}},
        {"role": "function", "name": "find", "content": "found"},
    ]

    (turn,) = read_turns(messages)

    assert turn.calls[0].results == [[Text("found")]]


def test_arguments_and_results_are_laid_out() -> None:
    page = shown(
        {"role": "assistant", "tool_calls": [call("a", "find", '{"q":"x"}')]},
        {"role": "tool", "tool_call_id": "a", "content": '{"hits":[1]}'},
    )

    assert '<span class="json-key">&quot;q&quot;</span>: ' in page
    assert '<span class="json-key">&quot;hits&quot;</span>: [\n' in page


@pytest.mark.parametrize(
    ("part", "label", "place"),
    [
        (
            {"type": "image_url", "image_url": {"url": "https://evil.example/pixel.png"}},
            "Image, not loaded",
            "https://evil.example/pixel.png",
        ),
        (
            {"type": "input_image", "image_url": "https://evil.example/x"},
            "Image, not loaded",
            "https://evil.example/x",
        ),
        ({"type": "input_image", "file_id": "file-1"}, "Image, not loaded", "file-1"),
        (
            {"type": "image", "source": {"type": "url", "url": "http://a/b"}},
            "Image, not loaded",
            "http://a/b",
        ),
        (
            {"type": "input_audio", "input_audio": {"format": "wav", "data": "AAAA"}},
            "Audio, WAV, 3 bytes",
            "",
        ),
        (
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "A" * 40_000}},
            "File, a.pdf, 30 kB",
            "",
        ),
    ],
)
def test_what_is_no_text_is_told_of_in_words(part: Any, label: str, place: str) -> None:
    assert parts_of([part]) == [Attachment(label, place)]
    assert "<img" not in shown({"role": "user", "content": [part]})


def test_an_image_in_the_request_itself_can_be_unfolded() -> None:
    url = f"data:image/png;base64,{PIXEL}"

    for part in (
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
    ):
        (found,) = parts_of([part])
        assert found == Attachment("Image, PNG, 72 bytes", "in the request", url)
    assert f'src="{url}"' in shown({"role": "user", "content": [part]})


@pytest.mark.parametrize(
    "url",
    [
        "data:image/svg+xml;base64,PHN2Zz4=",
        "data:text/html;base64,PHA+",
        'data:image/png;base64,AA" onerror="alert(1)',
        "data:image/png,raw",
        "data:image/png;base64," + "A" * 500_000,
    ],
)
def test_no_other_data_is_ever_shown_as_an_image(url: str) -> None:
    page = shown({"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]})

    assert "<img" not in page
    assert "Image" in page


def test_reasoning_is_folded_whichever_way_it_came() -> None:
    turns = read_turns(
        [
            {"role": "assistant", "content": "4", "reasoning_content": "2+2"},
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm"}, "5"]},
        ]
    )

    assert [(turn.thoughts, turn.parts) for turn in turns] == [
        ([Text("2+2")], [Text("4")]),
        ([Text("hm")], [Text("5")]),
    ]


def test_a_long_text_is_folded_and_nothing_of_it_is_lost() -> None:
    text = "word " * 2_000

    (part,) = parts_of(text)
    page = shown({"role": "user", "content": text})

    assert part.head + part.rest == text
    assert len(part.head) < FOLDED_FROM
    assert f"{len(part.rest):,} more of 10,000 characters" in page


def test_instructions_are_folded_earlier_than_what_people_say() -> None:
    text = "Be kind. " * 200

    turns = read_turns([{"role": role, "content": text} for role in ("system", "user")])

    (told,), (asked,) = (turn.parts for turn in turns)
    assert isinstance(told, Text)
    assert isinstance(asked, Text)
    assert (told.head + told.rest, asked.head) == (text, text)
    assert len(told.head) <= 500


def test_a_page_holds_no_more_than_it_can_and_says_so() -> None:
    turns = read_turns([{"role": "user", "content": "x" * 700_000} for _ in range(3)])

    assert [turn.parts[0].cut for turn in turns] == [0, 2 * 700_000 - MOST_SHOWN, 700_000]  # type: ignore[union-attr]
    assert all(turn.size == 700_000 for turn in turns)


def test_markup_of_every_kind_stays_text() -> None:
    hostile = "**bold** <b>x</b> [link](javascript:alert(1)) ![i](https://evil.example/i.png)"

    page = shown(
        {"role": "<i>", "name": "<u>", "content": hostile, "reasoning_content": hostile},
        {"role": "assistant", "tool_calls": [call("a", "<s>", hostile)]},
        {"role": "tool", "tool_call_id": "a", "content": hostile},
        {
            "role": "tool",
            "tool_call_id": "<q>",
            "content": [{"type": "image_url", "image_url": "<p>"}],
        },
    )

    for tag in ("<b>", "<i>", "<u>", "<s>", "<q>", "<p>", "<a ", "<img", "<strong>"):
        assert tag not in page
    assert "**bold** &lt;b&gt;x&lt;/b&gt; [link](javascript:alert(1))" in page


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)
NAMES = st.sampled_from(
    ["role", "content", "tool_calls", "type", "image_url", "source", "text", "name"]
)


@given(st.lists(st.dictionaries(NAMES, JSON, max_size=6) | JSON, max_size=4))
def test_any_json_can_be_read(messages: list[Any]) -> None:
    read_turns(messages)
