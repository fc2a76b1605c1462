"""Checkpoint folders: written aside with a manifest, and verified before use."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from finetunes.trainer.exit_codes import ExitCode, TrainingStopped
from finetunes.trainer.files import records_of, sync_directory, sync_tree, write_json

_MANIFEST = "manifest.json"


class Checkpoints:
    """The checkpoints of one run directory, newest `keep` kept.

    `digest` names the job; a checkpoint of another job is refused.
    """

    def __init__(self, run_dir: Path, *, digest: str, keep: int) -> None:
        self._folder = run_dir / "checkpoints"
        self._digest = digest
        self._keep = keep

    def newest(self) -> Path | None:
        """The newest checkpoint whose files all verify.

        Raises:
            TrainingStopped: it was made by another job than this one.
        """
        for path in reversed(self._all()):
            manifest = _verified(path)
            if manifest is None:
                continue
            if manifest.get("digest") != self._digest:
                raise TrainingStopped(
                    ExitCode.BAD_DATA,
                    "job_changed",
                    "The run's data or settings changed since its last checkpoint. "
                    "Start a new run for the changed job.",
                )
            return path
        return None

    def begin(self, step: int) -> Path:
        """An empty directory to write the checkpoint of a step into."""
        self._folder.mkdir(exist_ok=True)
        aside = self._folder / f"step-{step}.tmp"
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        return aside

    def complete(self, aside: Path, step: int) -> Path:
        """Seal what was written aside and rename it into place; older ones are removed."""
        files = [asdict(record) for record in records_of(aside)]
        write_json(aside / _MANIFEST, {"step": step, "digest": self._digest, "files": files})
        sync_tree(aside)
        path = self._folder / f"step-{step}"
        shutil.rmtree(path, ignore_errors=True)
        aside.rename(path)
        sync_directory(self._folder)
        for old in self._all()[: -self._keep]:
            shutil.rmtree(old, ignore_errors=True)
        return path

    def _all(self) -> list[Path]:
        found = [p for p in self._folder.glob("step-*") if p.name[5:].isdigit()]
        return sorted(found, key=step_of)


def step_of(path: Path) -> int:
    """The step a checkpoint directory is named for."""
    return int(path.name.removeprefix("step-"))


def _verified(path: Path) -> Mapping[str, object] | None:
    """The checkpoint's manifest if every file it lists is there, whole and unchanged."""
    try:
        manifest: dict[str, Any] = json.loads((path / _MANIFEST).read_text())
        listed = {(f["path"], f["sha256"], f["bytes"]) for f in manifest["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    found = {(r.path, r.sha256, r.bytes) for r in records_of(path) if r.path != _MANIFEST}
    return manifest if found == listed and manifest.get("step") == step_of(path) else None
