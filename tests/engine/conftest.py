"""One engine with a tiny base and two adapters, shared by the tests that only ask it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from openai import OpenAI

from tests.engine.running import RunningEngine, running_engine
from tests.engine.tiny_models import make_models, manifest


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    make_models(folder)
    return folder


@pytest.fixture(scope="session")
def engine(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    with running_engine(tmp_path_factory.mktemp("engine"), manifest(models)) as running:
        yield running


@pytest.fixture(scope="session")
def client(engine: RunningEngine) -> Iterator[OpenAI]:
    with engine.openai() as client:
        yield client
