"""Run directories for the tests, and the real trainer started on them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from finetunes.trainer.events import EventRecord, read_events

ROOT = Path(__file__).parents[2]
WORDS = ["Lima", "Oslo", "Paris", "Accra", "Quito", "Dakar", "Rome", "Bern", "Cairo", "Delhi"]


def row(question: str, answer: str, row_id: str) -> dict[str, Any]:
    return {
        "id": row_id,
        "messages": [
            {"role": "user", "content": question},
            {"role": "assistant", "content": answer},
        ],
    }


def spelling_rows(count: int) -> list[dict[str, Any]]:
    """Rows of unequal length: a word, and its first letter as the answer."""
    words = [WORDS[i % len(WORDS)] + "a" * (i % 7) for i in range(count)]
    return [row(f"First letter of {word}?", word[0], f"row-{i}") for i, word in enumerate(words)]


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    return {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def make_run(
    run_dir: Path,
    base: Path,
    *,
    rows: Sequence[Mapping[str, Any]] | None = None,
    heldout: Sequence[Mapping[str, Any]] | None = None,
    hyperparameters: Mapping[str, Any] | None = None,
    **job: Any,
) -> Path:
    """A run directory ready to start; 40 short rows in batches of 4 unless told otherwise."""
    run_dir.mkdir(parents=True, exist_ok=True)
    chosen = {"epochs": 1.0, "learning_rate": 0.01, "batch_size": 4, "seed": 3}
    told: dict[str, Any] = {
        "version": 1,
        "run_id": "0192f0c0-0000-7000-8000-000000000000",
        "attempt": 1,
        "base_model": {"path": str(base), "name": "tiny"},
        "train": write_rows(run_dir / "train.jsonl", spelling_rows(40) if rows is None else rows),
        "adapter": {"kind": "lora", "r": 4, "alpha": 8},
        "hyperparameters": {**chosen, **(hyperparameters or {})},
        "checkpoint": {"every_steps": 2, "keep": 2},
        "samples": 2,
        "threads": 1,
        **job,
    }
    if heldout is not None:
        told["heldout"] = write_rows(run_dir / "heldout.jsonl", heldout)
    (run_dir / "job.json").write_text(json.dumps(told))
    return run_dir


def change_job(run_dir: Path, **changes: Any) -> None:
    job = json.loads((run_dir / "job.json").read_text())
    (run_dir / "job.json").write_text(json.dumps({**job, **changes}))


def environment(path_first: Path | None = None) -> dict[str, str]:
    folders = [path_first, ROOT, ROOT / "platform"]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(str(folder) for folder in folders if folder),
        "OMP_NUM_THREADS": "1",
    }


def start(run_dir: Path, *, path_first: Path | None = None) -> subprocess.Popen[str]:
    """The trainer as its users start it, its messages in the run directory."""
    with (run_dir / "stderr.txt").open("a") as stderr:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "finetunes.trainer", str(run_dir)],
            env=environment(path_first),
            cwd=run_dir,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            text=True,
        )


def train(run_dir: Path, *, path_first: Path | None = None) -> int:
    """Run the trainer to its end; returns its exit code."""
    return start(run_dir, path_first=path_first).wait(timeout=240)


class WarmTrainer:
    """Starts trainers from a process that has loaded the libraries already."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "tests.trainer.warm"],
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._ready = False

    def start(self, run_dir: Path, *, largest_file: int = 0, halt_at: int = 0) -> int:
        """Start a trainer; returns its pid."""
        told = {"largest_file": largest_file, "halt_at": halt_at}
        return self._ask(do="start", run_dir=str(run_dir), **told)

    def start_and_halt(self, run_dir: Path, step: int) -> int:
        """Start a trainer and wait until it has told of a step, where it stopped; returns its pid.

        It cannot get ahead of whoever wants to kill it there, however slow that one is.
        """
        pid = self.start(run_dir, halt_at=step)
        wait_until_stopped(pid)
        return pid

    def wait(self, pid: int) -> int:
        """Wait for a trainer; returns its exit code, or the signal that killed it, negative."""
        return self._ask(do="wait", pid=pid)

    def train(self, run_dir: Path, *, largest_file: int = 0) -> int:
        return self.wait(self.start(run_dir, largest_file=largest_file))

    def close(self) -> None:
        self._process.communicate()

    def _ask(self, **told: str | int) -> int:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        if not self._ready:
            assert stdout.readline() == "ready\n"
            self._ready = True
        stdin.write(json.dumps(told) + "\n")
        stdin.flush()
        return int(stdout.readline())


def wait_until_stopped(pid: int) -> None:
    """Return once a process stands still after SIGSTOP."""
    stat = Path(f"/proc/{pid}/stat")
    deadline = time.monotonic() + 240
    while (state := stat.read_text().rpartition(")")[2].split()[0]) != "T":
        assert state != "Z", "it ended before"
        assert time.monotonic() < deadline, "it never stopped"
        time.sleep(0.01)


def wait_until_started(run_dir: Path) -> None:
    """Return once the run has told that it began."""
    deadline = time.monotonic() + 240
    while not events(run_dir, "started"):
        assert time.monotonic() < deadline, "it never started"
        time.sleep(0.01)


def events(run_dir: Path, kind: str | None = None) -> list[EventRecord]:
    records = read_events(run_dir / "events.jsonl").records
    return [record for record in records if kind is None or record.type == kind]


def failure(run_dir: Path) -> dict[str, Any]:
    """What the run says about its failure."""
    return dict(events(run_dir, "error")[-1].fields)


def adapter_sha256(run_dir: Path) -> str:
    weights = run_dir / "artifacts" / "adapter_model.safetensors"
    return hashlib.sha256(weights.read_bytes()).hexdigest()
