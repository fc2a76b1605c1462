"""A place of their own for run folders and artifacts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from tests.finetunes.running import end_all


@pytest.fixture(autouse=True)
def var_dir(tmp_path: Path, settings: Settings) -> Path:
    settings.VAR_DIR = tmp_path / "var"
    settings.ARTIFACTS_URL = str(tmp_path / "artifacts")
    settings.TRAINER_THREADS = 1
    return tmp_path / "var"


@pytest.fixture(autouse=True)
def _no_trainer_left() -> Iterator[None]:
    yield
    end_all()
