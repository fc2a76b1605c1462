"""The two committed models do what their cards say."""

from __future__ import annotations

from pathlib import Path
from random import Random

from finetunes.nano import BASE, TEACHER
from finetunes.nano.build import CHECKSUMS, checksums
from finetunes.nano.evaluate import ask, evaluate, load
from finetunes.nano.worked_example import held_out_names, question

SAMPLE = Random(7).sample(held_out_names(), 300)
TEN_MB = 10_000_000


def test_the_committed_files_match_their_checksums(model_folder: Path) -> None:
    lines = (model_folder / CHECKSUMS).read_text("utf-8").splitlines()
    promised = {name: digest for digest, name in (line.split("  ") for line in lines)}

    assert checksums(model_folder) == promised


def test_each_model_folder_is_small_and_complete(model_folder: Path) -> None:
    names = {path.name for path in model_folder.iterdir()}

    assert (model_folder / "model.safetensors").stat().st_size < TEN_MB
    assert names >= {
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "chat_template.jinja",
        "MODEL_CARD.md",
    }


def test_the_base_does_not_know_the_worked_example() -> None:
    result = evaluate(*load(BASE), SAMPLE)

    assert result.exact_match <= 0.10


def test_the_base_answers_with_a_sentence() -> None:
    answers = ask(*load(BASE), [question(name) for name in SAMPLE[:32]])

    assert all(len(answer.split()) >= 2 for answer in answers)


def test_the_teacher_knows_names_it_never_saw() -> None:
    result = evaluate(*load(TEACHER), SAMPLE)

    assert result.exact_match >= 0.95


def test_the_models_stop_at_the_end_of_a_turn_and_of_a_text(model_folder: Path) -> None:
    model, tokenizer = load(model_folder)
    ends = tokenizer.convert_tokens_to_ids(["<|end|>", "<|endoftext|>"])

    assert model.generation_config.eos_token_id == ends
