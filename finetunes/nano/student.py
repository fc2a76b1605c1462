"""Distil the teacher into a LoRA student with the real trainer, and measure it.

`python -m finetunes.nano.student --seeds 0 1 2` asks the teacher about training names, trains the
base on its answers and asks each student about held-out names. `ADAPTER` and `HYPERPARAMETERS` are
the settings that the model card recommends; the demo uses them too.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from uuid import uuid4

import torch
from peft import PeftModel

from finetunes.nano import BASE, TEACHER
from finetunes.nano.evaluate import ROWS, Result, ask, evaluate, load
from finetunes.nano.worked_example import held_out_names, question, training_names

ADAPTER = {"kind": "lora", "r": 16, "alpha": 32, "dropout": 0.0, "targets": "all-linear"}
HYPERPARAMETERS = {
    "epochs": 2.0,
    "learning_rate": 3e-3,
    "batch_size": 32,
    "gradient_accumulation": 1,
    "warmup": 0.03,
    "scheduler": "cosine",
    "weight_decay": 0.0,
    "max_grad_norm": 1.0,
    "max_length": None,
    "seed": 0,
}
EXAMPLES = 3_000


class TrainerFailed(RuntimeError):
    """The trainer stopped with an error; its last words are the message."""


def taught_rows(count: int, *, seed: int = 0) -> list[dict[str, object]]:
    """Return training rows for `count` random training names, answered by the teacher."""
    names = Random(seed).sample(training_names(), count)
    asked = [question(name) for name in names]
    model, tokenizer = load(TEACHER)
    batches = [asked[start : start + ROWS] for start in range(0, count, ROWS)]
    answers = [said for batch in batches for said in ask(model, tokenizer, batch)]
    return [
        {
            "id": f"row-{number}",
            "messages": [
                {"role": "user", "content": user},
                {"role": "assistant", "content": assistant},
            ],
        }
        for number, (user, assistant) in enumerate(zip(asked, answers, strict=True))
    ]


def write_job(
    directory: Path, rows: Sequence[dict[str, object]], hyperparameters: dict[str, object]
) -> None:
    """Write the files the trainer reads: `train.jsonl` and `job.json`."""
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (directory / "train.jsonl").write_text(text, "utf-8")
    job = {
        "version": 1,
        "run_id": str(uuid4()),
        "attempt": 1,
        "base_model": {"path": str(BASE), "name": "nano-base"},
        "train": {"file": "train.jsonl", "sha256": hashlib.sha256(text.encode()).hexdigest()},
        "method": "sft",
        "adapter": ADAPTER,
        "hyperparameters": hyperparameters,
        "over_length": "refuse",
        "render": {"template_kwargs": {}, "thinking": "keep"},
        "checkpoint": {"every_steps": 1_000, "keep": 1},
        "log_every_steps": 10,
        "samples": 0,
        "threads": 1,
    }
    (directory / "job.json").write_text(json.dumps(job), "utf-8")


def train_student(rows: Sequence[dict[str, object]], hyperparameters: dict[str, object]) -> Result:
    """Train one student in a temporary folder and ask it about every held-out name.

    Raises:
        TrainerFailed: the trainer did not finish.
    """
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        write_job(directory, rows, hyperparameters)
        _run_trainer(directory)
        base, tokenizer = load(BASE)
        student = PeftModel.from_pretrained(base, directory / "artifacts").eval()
        return evaluate(student, tokenizer, held_out_names())


def _run_trainer(directory: Path) -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "finetunes.trainer", str(directory)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(root / "platform")])},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise TrainerFailed(f"The trainer ended with {done.returncode}: {done.stderr[-2_000:]}")


def main() -> None:
    """Train LoRA students on the teacher's answers; print each one's exact match."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--examples", type=int, default=EXAMPLES)
    parser.add_argument("--epochs", type=float, default=HYPERPARAMETERS["epochs"])
    parser.add_argument("--learning-rate", type=float, default=HYPERPARAMETERS["learning_rate"])
    parser.add_argument("--batch-size", type=int, default=HYPERPARAMETERS["batch_size"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    torch.set_num_threads(1)
    for seed in options.seeds:
        rows = taught_rows(options.examples, seed=seed)
        chosen = {
            "epochs": options.epochs,
            "learning_rate": options.learning_rate,
            "batch_size": options.batch_size,
            "seed": seed,
        }
        started = time.monotonic()
        result = train_student(rows, {**HYPERPARAMETERS, **chosen})
        seconds = time.monotonic() - started
        print(f"seed {seed}: exact match {result.exact_match:.4f}, {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
