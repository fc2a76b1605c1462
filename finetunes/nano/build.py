"""Build both models again: `python -m finetunes.nano.build [--out DIR] [--steps N]`."""

from __future__ import annotations

import argparse
import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from finetunes.nano.evaluate import evaluate
from finetunes.nano.pretrain import STEPS, make_tokenizer, pretrain
from finetunes.nano.teach import PASSES, teach
from finetunes.nano.worked_example import held_out_names, training_names

CHECKSUMS = "SHA256SUMS"
CARD = "MODEL_CARD.md"


@dataclass(frozen=True)
class Built:
    """Losses, in nats a token, and exact match on held-out names of a finished build."""

    pretraining_losses: list[float]
    teaching_losses: list[float]
    base_exact_match: float
    teacher_exact_match: float


def build(
    out: Path,
    *,
    steps: int = STEPS,
    teaching_rows: int | None = None,
    passes: int = PASSES,
    ask_about: int | None = None,
) -> Built:
    """Write `base` and `teacher` below a folder, and measure both.

    `steps`, `teaching_rows`, `passes` and `ask_about` shorten the build.
    """
    tokenizer = make_tokenizer()
    model, pretraining = pretrain(tokenizer, steps=steps)
    save(model, tokenizer, out / "base")
    asked = held_out_names()[:ask_about]
    base = evaluate(model, tokenizer, asked).exact_match
    names = training_names()[:teaching_rows]
    teaching = teach(model, tokenizer, names=names, passes=passes)
    save(model, tokenizer, out / "teacher")
    teacher = evaluate(model, tokenizer, asked).exact_match
    return Built(pretraining, teaching, base, teacher)


def save(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, directory: Path) -> None:
    """Write one model folder and its checksums; a model card that is there stays."""
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    lines = [f"{digest}  {name}\n" for name, digest in checksums(directory).items()]
    (directory / CHECKSUMS).write_text("".join(lines), "utf-8")


def checksums(directory: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of a model folder, by name; the card may change freely."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.iterdir())
        if path.name not in {CHECKSUMS, CARD}
    }


def main() -> None:
    """Pre-train the base, teach the teacher, measure both on held-out names."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("--steps", type=int, default=STEPS, help="pre-training steps")
    parser.add_argument("--passes", type=int, default=PASSES, help="passes over the rows to teach")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    built = build(options.out, steps=options.steps, passes=options.passes)
    print(f"base: exact match {built.base_exact_match:.4f}")
    print(f"teacher: exact match {built.teacher_exact_match:.4f}")


if __name__ == "__main__":
    main()
