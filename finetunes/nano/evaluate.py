"""Measure a model on the worked example: `python -m finetunes.nano.evaluate MODEL_DIR`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from finetunes.nano.worked_example import answer, held_out_names, question
from finetunes.rendering import RenderSettings, render_prompt

ROWS = 128
LONGEST_ANSWER = 16


@dataclass(frozen=True)
class Result:
    """What a model answered; `exact_match` is the share of right answers, from 0 to 1."""

    names: tuple[str, ...]
    answers: tuple[str, ...]

    @property
    def exact_match(self) -> float:
        return 1 - len(self.wrong) / len(self.names)

    @property
    def wrong(self) -> list[tuple[str, str]]:
        """The names with a wrong answer, and that answer."""
        pairs = zip(self.names, self.answers, strict=True)
        return [(name, said) for name, said in pairs if said != answer(name)]


def evaluate(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, names: Sequence[str]
) -> Result:
    """Ask about each name, decode greedily, and compare the trimmed answers."""
    answers: list[str] = []
    for start in range(0, len(names), ROWS):
        answers += ask(model, tokenizer, [question(each) for each in names[start : start + ROWS]])
    return Result(tuple(names), tuple(answers))


def ask(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, questions: Sequence[str]
) -> list[str]:
    """Return the greedy answers to several one-turn chats, computed as one batch."""
    prompts = [
        render_prompt(tokenizer, [{"role": "user", "content": each}], settings=RenderSettings())
        for each in questions
    ]
    longest = max(map(len, prompts))
    pad = tokenizer.pad_token_id
    ids = torch.tensor([[pad] * (longest - len(each)) + each for each in prompts])
    mask = torch.tensor([[0] * (longest - len(each)) + [1] * len(each) for each in prompts])
    with torch.inference_mode():
        out = model.generate(
            input_ids=ids, attention_mask=mask, max_new_tokens=LONGEST_ANSWER, do_sample=False
        )
    texts = tokenizer.batch_decode(out[:, longest:], skip_special_tokens=True)
    return [text.strip() for text in texts]


def load(directory: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """Load a model folder without the network."""
    model = AutoModelForCausalLM.from_pretrained(directory, local_files_only=True)
    return model.eval(), AutoTokenizer.from_pretrained(directory, local_files_only=True)


def main() -> None:
    """Print the exact match of a model on held-out names, and some wrong answers."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("model", type=Path, help="folder of the model")
    parser.add_argument("--names", type=int, help="ask about this many; all when left out")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    result = evaluate(*load(options.model), held_out_names()[: options.names])
    print(f"exact match {result.exact_match:.4f} on {len(result.names)} held-out names")
    for name, said in result.wrong[:10]:
        print(f"  {question(name)}: “{said}” instead of “{answer(name)}”")


if __name__ == "__main__":
    main()
