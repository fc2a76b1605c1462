"""Rendering of single conversations: what is trained, what is refused, and in which words."""

from __future__ import annotations

import pytest

from finetunes.rendering import (
    Message,
    RenderedExample,
    RenderSettings,
    RowProblem,
    render_examples,
    render_prompt,
)
from tests.rendering.chat_tokenizers import (
    CHATML,
    TEMPLATES,
    make_tokenizer,
    stop_ids,
    tokenizer_with,
)

PLAIN = RenderSettings()
QUESTION: Message = {"role": "user", "content": "What is the capital of France?"}
ANSWER: Message = {"role": "assistant", "content": "Paris"}
WEATHER: Message = {
    "role": "assistant",
    "content": None,
    "tool_calls": [
        {
            "id": "call_1",
            "type": "function",
            "function": {"name": "weather", "arguments": '{"city":"Lyon","when":{"days":3}}'},
        }
    ],
}


def trained_text(family: str, example: RenderedExample) -> str:
    tokenizer = make_tokenizer(family)
    return str(tokenizer.decode([label for label in example.labels if label != -100]))


def examples(family: str, *messages: Message, settings: RenderSettings = PLAIN) -> list[str]:
    rendered = render_examples(
        make_tokenizer(family), messages, settings=settings, eos_ids=stop_ids(family)
    )
    return [trained_text(family, example) for example in rendered]


@pytest.mark.parametrize("family", TEMPLATES)
def test_the_trained_ids_are_the_answer_and_its_end_of_turn_only(family: str) -> None:
    [text] = examples(family, QUESTION, ANSWER)

    ends = [f"Paris{make_tokenizer(family).decode([end])}" for end in stop_ids(family)]
    assert text.lstrip() in ends


@pytest.mark.parametrize("family", TEMPLATES)
def test_a_row_begins_with_the_prompt_that_is_served(family: str) -> None:
    tokenizer = make_tokenizer(family)

    [example] = render_examples(tokenizer, [QUESTION, ANSWER], settings=PLAIN)

    prompt = render_prompt(tokenizer, [QUESTION], settings=PLAIN)
    assert example.input_ids[: example.prompt_length] == prompt


def test_each_assistant_turn_is_an_example_of_its_own() -> None:
    rows = [QUESTION, ANSWER, {"role": "user", "content": "And of Italy?"}]
    rows.append({"role": "assistant", "content": "Rome"})

    texts = examples("chatml", *rows)

    assert texts == ["Paris<|im_end|>", "Rome<|im_end|>"]


def test_a_turn_with_weight_zero_is_read_but_not_trained() -> None:
    first = {**ANSWER, "weight": 0}
    last = {"role": "assistant", "content": "Rome", "weight": 1}

    texts = examples("chatml", QUESTION, first, {"role": "user", "content": "Italy?"}, last)

    assert texts == ["Rome<|im_end|>"]


def test_a_greeting_before_any_question_is_context_only() -> None:
    greeting = {"role": "assistant", "content": "Hello, how can I help?"}

    texts = examples("chatml", greeting, QUESTION, ANSWER)

    assert texts == ["Paris<|im_end|>"]


def test_an_empty_think_block_of_the_prompt_is_never_trained() -> None:
    tokenizer = make_tokenizer("qwen3")

    [example] = render_examples(tokenizer, [QUESTION, ANSWER], settings=PLAIN)

    prompt = str(tokenizer.decode(example.input_ids[: example.prompt_length]))
    assert prompt.endswith("<think>\n\n</think>\n\n")
    assert trained_text("qwen3", example) == "Paris<|im_end|>"


def test_an_answer_that_begins_like_the_think_block_stays_whole() -> None:
    tricky = {"role": "assistant", "content": "<th is how I begin"}

    assert examples("qwen3", QUESTION, tricky) == ["<th is how I begin<|im_end|>"]


def test_reasoning_is_trained_when_the_prompt_leaves_room_for_it() -> None:
    thoughtful = {**ANSWER, "reasoning_content": "It is well known."}
    thinking = RenderSettings(template_kwargs={"enable_thinking": True})

    [text] = examples("qwen3", QUESTION, thoughtful, settings=thinking)

    assert text == "<think>\nIt is well known.\n</think>\n\nParis<|im_end|>"


def test_reasoning_that_the_prompt_has_closed_is_refused() -> None:
    thoughtful = {**ANSWER, "reasoning_content": "It is well known."}

    with pytest.raises(RowProblem, match="set thinking to “strip”"):
        examples("qwen3", QUESTION, thoughtful)


@pytest.mark.parametrize(
    "answer",
    [
        {"role": "assistant", "content": "<think>\nhm\n</think>\n\nParis"},
        {**ANSWER, "reasoning_content": "hm"},
    ],
)
def test_the_strip_policy_removes_reasoning_from_answers(answer: Message) -> None:
    strip = RenderSettings(thinking="strip")

    assert examples("qwen3", QUESTION, answer, settings=strip) == ["Paris<|im_end|>"]


def test_tool_arguments_reach_an_object_template_as_an_object() -> None:
    [text] = examples("qwen3", QUESTION, WEATHER)

    assert '"arguments": {"city": "Lyon", "when": {"days": 3}}}' in text


def test_tool_arguments_reach_a_pasting_template_byte_for_byte() -> None:
    [text] = examples("pasted", QUESTION, WEATHER)

    assert '[TOOL]weather{"city":"Lyon","when":{"days":3}}<|end|>' in text


def test_a_template_without_tool_calls_is_named_as_the_reason() -> None:
    with pytest.raises(RowProblem, match="Choose a base model with tool support"):
        examples("chatml", QUESTION, WEATHER)


@pytest.mark.parametrize("arguments", ["{not json", "[1, 2]", 7])
def test_broken_tool_arguments_are_refused(arguments: object) -> None:
    call = {"type": "function", "function": {"name": "weather", "arguments": arguments}}

    with pytest.raises(RowProblem, match="Correct or remove the call"):
        examples("qwen3", QUESTION, {"role": "assistant", "content": "", "tool_calls": [call]})


def test_text_parts_are_joined() -> None:
    parts = [{"type": "text", "text": "Pa"}, {"type": "text", "text": "ris"}]

    texts = examples("chatml", QUESTION, {"role": "assistant", "content": parts})

    assert texts == ["Paris<|im_end|>"]


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ([QUESTION], "no_assistant_turn"),
        ([], "no_assistant_turn"),
        ([ANSWER], "no_trained_turn"),
        ([QUESTION, {**ANSWER, "weight": 0}], "no_trained_turn"),
        ([QUESTION, {"role": "assistant", "content": " \n"}], "empty_answer"),
        ([QUESTION, {"role": "assistant", "content": None}], "empty_answer"),
        ([{"role": "wizard", "content": "x"}, ANSWER], "unknown_role"),
        ([{"role": "user", "content": 3}, ANSWER], "content_not_text"),
        ([{"role": "user", "content": [{"type": "image_url"}]}, ANSWER], "content_not_text"),
        ([QUESTION, {"role": "assistant", "content": "x<|im_end|>y"}], "end_token_in_answer"),
        ([QUESTION, {"role": "assistant", "content": "\ud800"}], "not_unicode"),
    ],
)
def test_a_row_that_cannot_be_trained_is_refused_with_its_reason(
    messages: list[Message], code: str
) -> None:
    with pytest.raises(RowProblem) as problem:
        examples("chatml", *messages)

    assert problem.value.code == code
    assert problem.value.sentence.endswith(".")


def test_a_template_that_raises_is_quoted() -> None:
    alternate = (
        "{% if messages[0]['role'] != 'user' %}{{ raise_exception('User first') }}{% endif %}"
    )
    tokenizer = tokenizer_with(alternate + CHATML)

    with pytest.raises(RowProblem, match="User first"):
        render_prompt(tokenizer, [{"role": "system", "content": "s"}], settings=PLAIN)


def test_a_template_that_never_ends_a_turn_is_refused() -> None:
    tokenizer = tokenizer_with("{% for m in messages %}{{ m['content'] }}{% endfor %}")

    with pytest.raises(RowProblem, match="would never stop"):
        render_examples(tokenizer, [QUESTION, ANSWER], settings=PLAIN)


def test_a_template_that_writes_two_beginnings_is_refused() -> None:
    tokenizer = tokenizer_with("{{ bos_token }}{{ bos_token }}" + CHATML, bos="<s>")

    with pytest.raises(RowProblem, match="two beginning-of-text tokens"):
        render_prompt(tokenizer, [QUESTION], settings=PLAIN)


def test_an_empty_conversation_has_no_prompt() -> None:
    with pytest.raises(RowProblem, match="Send at least one message"):
        render_prompt(make_tokenizer("chatml"), [], settings=PLAIN)


def test_settings_survive_json() -> None:
    settings = RenderSettings(template_kwargs={"enable_thinking": False}, thinking="strip")

    assert RenderSettings.from_json(settings.to_json()) == settings


@pytest.mark.parametrize(
    "value",
    [
        {"template_kwargs": {"tokenize": True}},
        {"template_kwargs": []},
        {"thinking": "maybe"},
        {"tools_version": 2},
    ],
)
def test_impossible_settings_are_refused(value: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        RenderSettings.from_json(value)
