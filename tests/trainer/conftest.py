from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.trainer.runs import WarmTrainer
from tests.trainer.tiny import build_tiny_model


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="session")
def trainer() -> Iterator[WarmTrainer]:
    warm = WarmTrainer()
    yield warm
    warm.close()
