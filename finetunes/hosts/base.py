"""The protocol between the runner and a place where trainers run."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class TrainerProcess(Protocol):
    """A trainer at work on one run folder."""

    def alive(self) -> bool:
        """Whether it still works."""
        ...

    def exit_code(self) -> int | None:
        """How it ended; None while it works, and for one we did not start ourselves."""
        ...

    def stop(self) -> None:
        """Ask it to save a checkpoint and end."""
        ...

    def kill(self) -> None:
        """End it and its children at once."""
        ...


class TrainingHost(Protocol):
    """A place where trainers run."""

    def start(self, folder: Path) -> TrainerProcess:
        """Start a trainer on a prepared run folder."""
        ...

    def adopt(self, folder: Path) -> TrainerProcess | None:
        """The trainer already at work on the folder, left by a runner that is gone."""
        ...
