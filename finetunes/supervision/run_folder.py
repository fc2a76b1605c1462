"""The folder of a run: what the trainer is told, and where it leaves its work."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from django.conf import settings

from finetunes.models import TrainingRun
from workbench.core import blobs
from workbench.core.errors import OperatorProblem

SPLIT_FILES = {"train": "train.jsonl", "heldout": "heldout.jsonl"}
MINIMUM_FREE_BYTES = 200 << 20
CHECKPOINT_EVERY_STEPS = 50


def folder_of(run: TrainingRun) -> Path:
    return Path(settings.VAR_DIR) / "runs" / str(run.pk)


def prepare(run: TrainingRun) -> Path:
    """Write the rows (once) and the job file (for this attempt); return the folder.

    Raises:
        OperatorProblem: there is too little free disk for checkpoints and artifacts.
    """
    folder = folder_of(run)
    folder.mkdir(parents=True, exist_ok=True)
    _check_space(folder)
    files = {split: _rows_file(run, folder, split) for split in SPLIT_FILES}
    _write(folder / "job.json", json.dumps(_job(run, files), indent=2))
    return folder


def _check_space(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < MINIMUM_FREE_BYTES:
        raise OperatorProblem(
            f"{folder} has {free >> 20} MiB free; a run needs {MINIMUM_FREE_BYTES >> 20} MiB. "
            "Free space, then start the run again."
        )


def _rows_file(run: TrainingRun, folder: Path, split: str) -> dict[str, str] | None:
    path = folder / SPLIT_FILES[split]
    if not path.exists():
        _write_rows(path, run.dataset_version.rows(split))
    if path.stat().st_size == 0:
        return None
    with path.open("rb") as file:
        return {"file": path.name, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    draft = path.with_suffix(".part")
    with draft.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=True) + "\n")
    draft.replace(path)


def _job(run: TrainingRun, files: Mapping[str, dict[str, str] | None]) -> dict[str, Any]:
    return {
        "version": 1,
        "run_id": str(run.pk),
        "attempt": run.attempt,
        "base_model": {"path": str(blobs.local_copy(run.base_path)), "name": run.base_model},
        **{split: told for split, told in files.items() if told},
        "method": run.method,
        "adapter": run.adapter,
        "hyperparameters": run.hyperparameters,
        "over_length": run.over_length,
        "render": run.render,
        "checkpoint": {"every_steps": CHECKPOINT_EVERY_STEPS, "keep": 2},
        "threads": settings.TRAINER_THREADS or _spare_threads(),
    }


def _spare_threads() -> int:
    """Half of the cores. Threads that must share a core with the gateway or the engine wait for
    each other at every operation: on two busy cores, two threads took five times as long as one.
    """
    return max(1, (os.cpu_count() or 2) // 2)


def _write(path: Path, text: str) -> None:
    draft = path.with_suffix(".part")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
