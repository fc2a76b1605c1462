from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from openai import OpenAI

from finetunes.rendering import RenderSettings, render_examples
from tests.engine.running import RunningEngine
from tests.rendering.chat_tokenizers import make_tokenizer

QUESTIONS = [
    "Hi",
    "What is the capital of France?",
    "Überraschung, naïve café, 東京 and an emoji 🙂",
    "A much longer question, so that all the other rows are padded by far. " * 3,
]


def ask(client: OpenAI, model: str, question: str, **settings: Any) -> Any:
    asked = {"temperature": 0, "max_tokens": 24, **settings}
    messages: Any = [{"role": "user", "content": question}]
    return client.chat.completions.create(model=model, messages=messages, **asked)


def ids(client: OpenAI, model: str, question: str, **settings: Any) -> list[int]:
    extra = {"return_token_ids": True}
    answer = ask(client, model, question, extra_body=extra, **settings)
    return list(answer.choices[0].token_ids)


def streamed(client: OpenAI, model: str, question: str, **settings: Any) -> list[Any]:
    return list(ask(client, model, question, stream=True, **settings))


def test_rows_of_two_adapters_and_the_base_answer_together_as_they_do_alone(
    client: OpenAI, engine: RunningEngine
) -> None:
    calls = [(m, q) for m in ("one:1", "two:1", "base:1") for q in QUESTIONS]
    alone = [ids(client, model, question) for model, question in calls]
    batches = engine.get("/stats")["batches"]

    with ThreadPoolExecutor(48) as pool:
        together = list(pool.map(lambda call: ids(client, *call), calls * 4))

    assert together == alone * 4
    assert len({tuple(answer) for answer in alone[::4]}) == 3, "adapters must change answers"
    assert engine.get("/stats")["batches"] - batches < len(together), "rows must share batches"


def test_rows_that_join_a_running_batch_change_no_answer(client: OpenAI) -> None:
    lengths = [120 - 5 * n for n in range(12)]

    def answer(length: int) -> list[int]:
        return ids(client, "one:1", QUESTIONS[length % 3], max_tokens=length)

    alone = [answer(length) for length in lengths]
    with ThreadPoolExecutor(12) as pool:
        together = list(pool.map(answer, lengths))

    assert together == alone


def test_the_prompt_ids_are_those_of_training(client: OpenAI) -> None:
    conversation: list[dict[str, Any]] = [
        {"role": "system", "content": "Answer briefly."},
        {"role": "user", "content": [{"type": "text", "text": "Where is 東京?"}]},
    ]
    trained = render_examples(
        make_tokenizer("chatml"),
        [*conversation, {"role": "assistant", "content": "In Japan."}],
        settings=RenderSettings(),
    )[0]

    served: Any = client.chat.completions.create(
        model="one:1",
        messages=conversation,  # type: ignore[arg-type]
        max_tokens=1,
        extra_body={"return_token_ids": True},
    )

    assert served.prompt_token_ids == trained.input_ids[: trained.prompt_length]


def test_greedy_ids_are_those_of_the_transformers_library(models: Path, client: OpenAI) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(models / "base").eval()
    prompt = make_tokenizer("chatml").apply_chat_template(
        [{"role": "user", "content": QUESTIONS[1]}], add_generation_prompt=True, return_dict=False
    )

    expected = model.generate(torch.tensor([prompt]), do_sample=False, max_new_tokens=24)

    assert ids(client, "base:1", QUESTIONS[1]) == expected[0, len(prompt) :].tolist()


def test_a_stream_says_the_same_as_a_plain_answer(client: OpenAI) -> None:
    for question in QUESTIONS:
        plain = ask(client, "two:1", question, max_tokens=60).choices[0]

        chunks = streamed(client, "two:1", question, max_tokens=60)

        assert chunks[0].choices[0].delta.role == "assistant"
        assert "".join(c.choices[0].delta.content or "" for c in chunks) == plain.message.content
        assert chunks[-1].choices[0].finish_reason == plain.finish_reason


def test_usage_counts_prompt_and_answer_also_in_a_stream(client: OpenAI) -> None:
    plain: Any = ask(client, "one:1", "Hi", extra_body={"return_token_ids": True})

    last = streamed(client, "one:1", "Hi", stream_options={"include_usage": True})[-1]

    assert plain.usage.prompt_tokens == len(plain.prompt_token_ids)
    assert plain.usage.completion_tokens == len(plain.choices[0].token_ids)
    assert plain.usage.total_tokens == plain.usage.prompt_tokens + plain.usage.completion_tokens
    assert last.choices == []
    assert last.usage == plain.usage


def test_an_answer_ends_before_a_stop_string(client: OpenAI) -> None:
    whole = ask(client, "one:1", "Hi", max_tokens=40).choices[0].message.content
    stop = whole[len(whole) // 2 :][:3]

    cut = ask(client, "one:1", "Hi", max_tokens=40, stop=[stop, "never said"])
    chunks = streamed(client, "one:1", "Hi", max_tokens=40, stop=stop)

    assert cut.choices[0].message.content == whole[: whole.index(stop)]
    assert cut.choices[0].finish_reason == "stop"
    said = "".join(c.choices[0].delta.content or "" for c in chunks)
    assert said == whole[: whole.index(stop)]
    assert cut.usage.completion_tokens < 40


def test_a_seed_gives_the_same_answer_again_whatever_runs_beside_it(client: OpenAI) -> None:
    def sampled(seed: int) -> list[int]:
        return ids(client, "base:1", "Hi", temperature=1.5, top_p=0.95, seed=seed)

    alone = [sampled(seed) for seed in range(8)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(sampled, range(8)))

    assert together == alone
    assert len({tuple(answer) for answer in alone}) > 1


def test_a_tiny_top_p_is_as_sure_as_temperature_0(client: OpenAI) -> None:
    sure = ids(client, "base:1", "Hi", temperature=1.5, top_p=0.0)

    assert sure == ids(client, "base:1", "Hi")


def test_max_tokens_bounds_the_answer_and_says_so(client: OpenAI) -> None:
    answer = ask(client, "one:1", "Hi", max_tokens=5, max_completion_tokens=3)

    assert answer.usage.completion_tokens == 3
    assert answer.choices[0].finish_reason == "length"


def test_the_header_names_the_model_before_the_body_does(engine: RunningEngine) -> None:
    body = {"model": "gpt-x", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}

    answer = engine.post(body, **{"x-stillhouse-model": "two@production"}).json()

    assert answer["model"] == "two:1"
