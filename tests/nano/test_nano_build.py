"""The recipe runs from end to end, here with fewer steps."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from finetunes.nano import BASE
from finetunes.nano.build import Built, build
from finetunes.nano.evaluate import load


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Built]:
    out = tmp_path_factory.mktemp("nano")
    return out, build(out, steps=16, teaching_rows=512, passes=1, ask_about=16)


def test_a_shortened_build_lowers_both_losses(built: tuple[Path, Built]) -> None:
    _, measured = built

    assert measured.pretraining_losses[-1] < measured.pretraining_losses[0] - 0.5
    assert measured.teaching_losses[-1] < measured.teaching_losses[0]


def test_a_shortened_build_writes_two_models_that_load(built: tuple[Path, Built]) -> None:
    out, _ = built

    base, teacher = (load(out / name)[0] for name in ("base", "teacher"))

    assert 1_800_000 < base.num_parameters() < 2_200_000
    assert not torch.equal(base.lm_head.weight, teacher.lm_head.weight)


def test_the_recipe_makes_the_committed_tokenizer(built: tuple[Path, Built]) -> None:
    out, _ = built

    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        assert (out / "base" / name).read_bytes() == (BASE / name).read_bytes()
