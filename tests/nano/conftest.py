"""The committed models, loaded once."""

from __future__ import annotations

import pytest
from transformers import PreTrainedTokenizerFast

from finetunes.nano import BASE, TEACHER
from finetunes.nano.evaluate import load


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    return load(BASE)[1]


@pytest.fixture(scope="session", params=[BASE, TEACHER], ids=["base", "teacher"])
def model_folder(request: pytest.FixtureRequest) -> object:
    return request.param
