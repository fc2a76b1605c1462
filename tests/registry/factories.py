"""Models, versions and runs with valid defaults."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from finetunes.bases import BUILT_IN
from finetunes.models import ModelVersion, RegisteredModel, TrainingRun
from tests.evals.factories import make_version
from workbench.core.models import Project

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
BASE: Path = BUILT_IN["nano-base"]
_numbers = count(1)


def make_run(project: Project, **fields: Any) -> TrainingRun:
    """A run that succeeded; its weights are the built-in base's."""
    values: dict[str, Any] = {
        "name": f"Run {next(_numbers)}",
        "base_model": "nano-base",
        "base_path": str(BASE),
        "adapter": {"kind": "lora", "r": 16, "alpha": 32},
        "hyperparameters": {},
        "state": TrainingRun.State.SUCCEEDED,
        "finished_at": NOON,
        "artifacts_path": str(BASE),
        "artifacts": [{"path": "adapter_model.safetensors", "sha256": "ab" * 32, "bytes": 2048}],
    }
    if "dataset_version" not in fields:
        fields["dataset_version"] = make_version(project, name=f"Rows {next(_numbers)}")
    return TrainingRun.objects.create(project=project, **(values | fields))


def make_model(
    project: Project, *, name: str = "capital-letter", versions: int = 1
) -> RegisteredModel:
    """A model with versions 1, 2 … whose weights nobody loads."""
    model = RegisteredModel.objects.create(project=project, name=name)
    for number in range(1, versions + 1):
        make_model_version(model, number)
    return model


def make_model_version(model: RegisteredModel, number: int, **fields: Any) -> ModelVersion:
    values: dict[str, Any] = {
        "kind": ModelVersion.Kind.FULL,
        "path": str(BASE),
        "render_fingerprint": f"{number:064x}",
        "artifacts": [{"path": "model.safetensors", "sha256": "cd" * 32, "bytes": 1000 * number}],
    }
    return ModelVersion.objects.create(model=model, number=number, **(values | fields))
