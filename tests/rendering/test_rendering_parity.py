"""Rule P1 over generated conversations, over real templates, and on rows made wrong on purpose."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finetunes.rendering import (
    Message,
    ParityMismatch,
    RenderedExample,
    RenderSettings,
    RowProblem,
    check_parity,
    render_examples,
    render_prompt,
)
from tests.rendering.chat_tokenizers import TEMPLATES, make_tokenizer, stop_ids, tokenizer_with

PLAIN = RenderSettings()
CONVERSATION: list[Message] = [
    {"role": "user", "content": "What is the capital of France?"},
    {"role": "assistant", "content": "Paris"},
]
REAL_TEMPLATES = {
    "qwen2_5": "<|im_end|>",
    "qwen3": "<|im_end|>",
    "qwen3_instruct_2507": "<|im_end|>",
    "llama3": "<|eot_id|>",
    "llama3_2": "<|eot_id|>",
    "phi3": "<|end|>",
    "gemma": "<end_of_turn>",
}

texts = st.text(
    st.one_of(
        st.sampled_from("abc XYZ .,\n\t<>|/think{}\"'"),
        st.characters(blacklist_categories=["Cs"]),
    ),
    max_size=30,
)
answers = texts.filter(lambda text: text.strip() != "")


@st.composite
def conversations(draw: st.DrawFn) -> list[Message]:
    messages: list[Message] = []
    if draw(st.booleans()):
        messages.append({"role": "system", "content": draw(texts)})
    for _ in range(draw(st.integers(1, 3))):
        messages.append({"role": "user", "content": draw(texts)})
        weight = draw(st.sampled_from([None, 0, 1]))
        messages.append({"role": "assistant", "content": draw(answers), "weight": weight})
    messages[-1] = {**messages[-1], "weight": 1}
    return messages


@pytest.mark.parametrize("family", TEMPLATES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(messages=conversations())
def test_whatever_can_be_rendered_is_trained_as_it_is_served(
    family: str, messages: list[Message]
) -> None:
    tokenizer, ends = make_tokenizer(family), stop_ids(family)
    try:
        rendered = render_examples(tokenizer, messages, settings=PLAIN, eos_ids=ends)
    except RowProblem as problem:
        assert problem.code in {"boundary_not_exact", "prompt_not_a_prefix"}  # noqa: PT017
        return

    trained = [i for i, m in enumerate(messages) if m["role"] == "assistant" and m["weight"] != 0]
    assert [example.turn for example in rendered] == trained
    for example in rendered:
        check_parity(tokenizer, example, messages, tools=None, settings=PLAIN, eos_ids=ends)
        prompt = render_prompt(tokenizer, messages[: example.turn], settings=PLAIN)
        assert example.input_ids[: len(prompt)] == prompt
        answer = tokenizer.decode(example.input_ids[len(prompt) :])
        assert str(messages[example.turn]["content"]).strip() in answer


@pytest.mark.parametrize("family", ["chatml", "llama3"])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(messages=conversations())
def test_families_with_a_clear_boundary_render_every_text(
    family: str, messages: list[Message]
) -> None:
    rendered = render_examples(
        make_tokenizer(family), messages, settings=PLAIN, eos_ids=stop_ids(family)
    )

    assert rendered


@pytest.mark.parametrize(("name", "end"), REAL_TEMPLATES.items())
def test_templates_of_published_models_keep_the_rule(name: str, end: str) -> None:
    spec = find_spec("trl")
    assert spec is not None
    assert spec.origin is not None
    template = (Path(spec.origin).parent / "chat_templates" / f"{name}.jinja").read_text()
    tokenizer = tokenizer_with(template, bos="<s>", eos="</s>")
    tokenizer.add_special_tokens(
        {"additional_special_tokens": [*tokenizer.additional_special_tokens, end]}
        if hasattr(tokenizer, "additional_special_tokens")
        else {"extra_special_tokens": [end]}
    )
    ends = {int(tokenizer.get_vocab()[end])}
    messages = [
        *CONVERSATION,
        {"role": "user", "content": "  And of Italy? "},
        {"role": "assistant", "content": "Rome.\n\nIt always was"},
    ]

    rendered = render_examples(tokenizer, messages, settings=PLAIN, eos_ids=ends)

    assert [example.turn for example in rendered] == [1, 3]
    for example in rendered:
        check_parity(tokenizer, example, messages, tools=None, settings=PLAIN, eos_ids=ends)


def good_example() -> RenderedExample:
    [example] = render_examples(make_tokenizer("chatml"), CONVERSATION, settings=PLAIN)
    return example


def broken(what: str) -> RenderedExample:
    """A good example with one thing done wrong."""
    good, newline = good_example(), 200
    k = good.prompt_length
    return {
        "prompt_supervised": replace(good, labels=[-100] * (k - 1) + good.input_ids[k - 1 :]),
        "labels": replace(good, labels=[*good.labels[:-1], -100]),
        "end_of_turn": replace(good, input_ids=good.input_ids[:-1], labels=good.labels[:-1]),
        "after_end_of_turn": replace(
            good,
            input_ids=[*good.input_ids, newline, good.input_ids[-1]],
            labels=[*good.labels, newline, good.input_ids[-1]],
        ),
        "prompt": replace(good, input_ids=[newline, *good.input_ids[1:]]),
        "answer": replace(
            good,
            input_ids=[*good.input_ids[:k], newline, *good.input_ids[k:]],
            labels=[*good.labels[:k], newline, *good.labels[k:]],
        ),
    }[what]


@pytest.mark.parametrize(
    "what",
    ["prompt_supervised", "labels", "end_of_turn", "after_end_of_turn", "prompt", "answer"],
)
def test_each_way_to_break_the_rule_is_named(what: str) -> None:
    with pytest.raises(ParityMismatch) as mismatch:
        check_parity(
            make_tokenizer("chatml"),
            broken(what),
            CONVERSATION,
            tools=None,
            settings=PLAIN,
            eos_ids=stop_ids("chatml"),
        )

    assert mismatch.value.what == what


def test_other_settings_at_serving_break_the_rule() -> None:
    tokenizer, ends = make_tokenizer("qwen3"), stop_ids("qwen3")
    [example] = render_examples(tokenizer, CONVERSATION, settings=PLAIN, eos_ids=ends)
    served = RenderSettings(template_kwargs={"enable_thinking": True})

    with pytest.raises(ParityMismatch, match="differ from token"):
        check_parity(tokenizer, example, CONVERSATION, tools=None, settings=served, eos_ids=ends)
