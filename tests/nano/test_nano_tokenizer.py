"""The tokenizer and the chat template of the nano models."""

from __future__ import annotations

import pytest
from transformers import PreTrainedTokenizerFast

from finetunes.nano.worked_example import all_names, answer, question
from finetunes.rendering import RenderSettings, check_parity, render_examples, render_prompt

SETTINGS = RenderSettings()


def test_every_name_survives_the_tokenizer(tokenizer: PreTrainedTokenizerFast) -> None:
    names = [*all_names(), "東京", "Нижний Новгород", "قاهرة", "🏙 Σπάρτη\u200d"]

    back = tokenizer.batch_decode(tokenizer(names, add_special_tokens=False)["input_ids"])

    assert back == names


def test_a_chat_is_rendered_with_one_begin_and_an_end_after_each_turn(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]

    text = tokenizer.decode(render_prompt(tokenizer, messages, settings=SETTINGS))

    assert text == "<|begin|><|system|>Be brief.<|end|><|user|>Hello<|end|><|assistant|>"


@pytest.mark.parametrize("name", ["Paris", "İzmir", "São Tomé", "Đà Nẵng", "25 de Mayo"])
def test_what_is_trained_is_what_is_served(tokenizer: PreTrainedTokenizerFast, name: str) -> None:
    messages = [
        {"role": "user", "content": question(name)},
        {"role": "assistant", "content": answer(name)},
    ]

    example = render_examples(tokenizer, messages, settings=SETTINGS)[0]

    check_parity(
        tokenizer,
        example,
        messages,
        tools=None,
        settings=SETTINGS,
        eos_ids=[tokenizer.eos_token_id],
    )
    served = render_prompt(tokenizer, messages[:1], settings=SETTINGS)
    assert example.input_ids[: example.prompt_length] == served
    assert tokenizer.decode(example.input_ids[example.prompt_length :]) == f"{answer(name)}<|end|>"


def test_an_unknown_role_is_refused(tokenizer: PreTrainedTokenizerFast) -> None:
    with pytest.raises(Exception, match="role"):
        tokenizer.apply_chat_template([{"role": "tool", "content": "4"}], tokenize=False)
