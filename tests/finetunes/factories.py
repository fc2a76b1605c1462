"""Frozen versions of small tasks, and runs on the nano base."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from django.utils import timezone

from finetunes.actions.launch import launch_run
from finetunes.models import RunEvent, TrainingRun
from requests_log.datasets.actions import add_examples, create_dataset, freeze_version
from requests_log.datasets.models import DatasetVersion
from workbench.core.models import Project

NAMES = ("Paris", "Oslo", "Bern", "Lima", "Quito", "Accra", "Dakar", "Hanoi")


def make_row(number: int, *, answer: str | None = None) -> dict[str, Any]:
    name = f"{NAMES[number % len(NAMES)]} {number}"
    asked = {"role": "user", "content": f"What is the capital of {name}"}
    return {"messages": [asked, {"role": "assistant", "content": answer or name[0]}]}


def make_version(
    project: Project,
    *,
    rows: int = 24,
    heldout: float = 10,
    extra: list[dict[str, Any]] | None = None,
    name: str = "Capital letter",
) -> DatasetVersion:
    """A frozen version of the worked example's task, with `extra` rows beside."""
    dataset = create_dataset(project, name=name, by=None)
    add_examples(dataset, rows=[*(make_row(n) for n in range(rows)), *(extra or [])])
    split = (100 - heldout, heldout)
    return freeze_version(dataset, by=None, at=timezone.now(), split=split)


def make_run(project: Project, **fields: Any) -> TrainingRun:
    """A queued run; by default a short one, with a small batch."""
    version = fields.pop("dataset_version", None) or make_version(project, name=f"set {uuid4()}")
    knobs = {"epochs": 1, "learning_rate": 0.002, "batch_size": 8, "r": 4, "alpha": 8}
    values: dict[str, Any] = {
        "name": "Capitals",
        "dataset_version": version,
        "base_model": "nano-base",
        "by": None,
        "hyperparameters": {**knobs, **fields.pop("hyperparameters", {})},
    }
    return launch_run(project, **{**values, **fields})


def make_events(run: TrainingRun, *told: tuple[str, dict[str, Any]]) -> list[RunEvent]:
    """Events of a run, numbered on from 1."""
    at = timezone.now()
    rows = [
        RunEvent(run=run, seq=number, type=type_, at=at, body=body)
        for number, (type_, body) in enumerate(told, start=1)
    ]
    return RunEvent.objects.bulk_create(rows)


def metrics(step: int, loss: float, *, total: int = 10) -> tuple[str, dict[str, Any]]:
    body = {
        "step": step,
        "total_steps": total,
        "epoch": step / total,
        "loss": loss,
        "learning_rate": 0.002,
        "grad_norm": 1.0,
        "tokens_per_second": 1000.0,
        "eta_seconds": float(total - step),
    }
    return "metrics", body
