"""Rows to examples: rendered, measured against the context, and each checked by rule P1."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from finetunes.rendering import (
    ChatTokenizer,
    ParityMismatch,
    RenderedExample,
    RenderSettings,
    RowProblem,
    check_parity,
    render_examples,
)
from finetunes.trainer.events import Event, Parity, Tokens, Warned
from finetunes.trainer.exit_codes import ExitCode, TrainingStopped
from finetunes.trainer.preflight import Row, unreadable

_NAMED_ROWS = 5
_BUCKET_BATCHES = 50


@dataclass(frozen=True)
class Limits:
    """What every example must satisfy; `longest` is in tokens, None for no limit."""

    settings: RenderSettings
    stop_ids: frozenset[int]
    longest: int | None
    drop_over_length: bool


@dataclass(frozen=True)
class Example:
    """A rendered answer and the row it comes from."""

    row: Row
    rendered: RenderedExample


def load_tokenizer(path: Path) -> ChatTokenizer:
    """The base model's tokenizer.

    Raises:
        TrainingStopped: with `BAD_BASE_MODEL`, if its files cannot be read.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer: ChatTokenizer = AutoTokenizer.from_pretrained(
            path, trust_remote_code=False, local_files_only=True
        )
    except Exception as error:
        # The library raises many kinds; each means that this directory is not a usable model.
        raise unreadable(path, error) from error
    return tokenizer


def render_rows(tokenizer: ChatTokenizer, rows: Sequence[Row], limits: Limits) -> list[Example]:
    """Every example of the rows, each proven to be trained as it will be served.

    Raises:
        TrainingStopped: a row cannot be rendered (`BAD_DATA`), or breaks rule P1
            (`PARITY_FAILURE`); the row is named.
    """
    return [example for row in rows for example in _row_examples(tokenizer, row, limits)]


def fitting(
    examples: Sequence[Example], limits: Limits, emit: Callable[[Event], None]
) -> list[Example]:
    """The examples that fit the context whole; an answer is never cut.

    Raises:
        TrainingStopped: some do not fit and the job refuses that, or none is left.
    """
    longest = limits.longest
    too_long = [e for e in examples if longest and len(e.rendered.input_ids) > longest]
    if too_long and not limits.drop_over_length:
        raise _over_length(too_long, longest)
    if too_long:
        emit(Warned(f"Left out {len(too_long)} examples over {longest} tokens: {_names(too_long)}"))
    left = [e for e in examples if not longest or len(e.rendered.input_ids) <= longest]
    if not left:
        raise TrainingStopped(
            ExitCode.BAD_DATA,
            "no_rows",
            f"No example fits into {longest} tokens. Choose a base model with a longer context.",
        )
    return left


def describe(examples: Sequence[Example]) -> list[Event]:
    """What the event file says about a rendered training set."""
    lengths = [len(e.rendered.input_ids) for e in examples]
    prompts = sum(e.rendered.prompt_length for e in examples)
    return [
        Parity(rows_checked=len(examples), mismatches=0),
        Tokens(
            examples=len(examples),
            tokens=sum(lengths),
            trained_tokens=sum(lengths) - prompts,
            longest=max(lengths),
        ),
    ]


def training_order(
    lengths: Sequence[int], *, epochs: float, batch_size: int, seed: int
) -> list[int]:
    """Indices of the examples in the order they are trained, over all epochs.

    A function of its arguments only, so a resumed run continues in the same order. Examples of
    like length stand together, so that little padding is computed, in batches that are shuffled.
    """
    chooser = random.Random(seed)  # noqa: S311 - shuffling, no secret
    order: list[int] = []
    wanted = max(1, round(len(lengths) * epochs))
    while len(order) < wanted:
        order.extend(_one_epoch(lengths, batch_size, chooser))
    return order[:wanted]


def _one_epoch(lengths: Sequence[int], batch_size: int, chooser: random.Random) -> Iterator[int]:
    indices = list(range(len(lengths)))
    chooser.shuffle(indices)
    size = batch_size * _BUCKET_BATCHES
    batches: list[list[int]] = []
    for start in range(0, len(indices), size):
        bucket = sorted(indices[start : start + size], key=lambda index: -lengths[index])
        batches += [bucket[i : i + batch_size] for i in range(0, len(bucket), batch_size)]
    # A short batch stands last; anywhere else it would shift every batch after it.
    tail = [batch for batch in batches if len(batch) < batch_size]
    batches = [batch for batch in batches if len(batch) == batch_size]
    chooser.shuffle(batches)
    for batch in batches + tail:
        yield from batch


def _row_examples(tokenizer: ChatTokenizer, row: Row, limits: Limits) -> Iterator[Example]:
    try:
        rendered = render_examples(
            tokenizer,
            row.messages,
            tools=row.tools,
            settings=limits.settings,
            eos_ids=limits.stop_ids,
        )
        for example in rendered:
            check_parity(
                tokenizer,
                example,
                row.messages,
                tools=row.tools,
                settings=limits.settings,
                eos_ids=limits.stop_ids,
            )
            yield Example(row, example)
    except RowProblem as problem:
        raise _stopped(ExitCode.BAD_DATA, problem.code, problem.sentence, row) from problem
    except ParityMismatch as mismatch:
        code = f"parity_{mismatch.what}"
        raise _stopped(ExitCode.PARITY_FAILURE, code, mismatch.sentence, row) from mismatch


def _stopped(exit_code: ExitCode, code: str, sentence: str, row: Row) -> TrainingStopped:
    return TrainingStopped(
        exit_code, code, f"Row “{row.id}” (line {row.line}): {sentence}", row=row.id
    )


def _over_length(too_long: Sequence[Example], longest: int | None) -> TrainingStopped:
    many = f"{len(too_long)} examples are" if len(too_long) > 1 else "1 example is"
    return TrainingStopped(
        ExitCode.BAD_DATA,
        "over_length",
        f"{many} longer than {longest} tokens: {_names(too_long)}. "
        f"Shorten {'them' if len(too_long) > 1 else 'it'}, choose a longer context, or let the run "
        "leave such examples out.",
        row=too_long[0].row.id,
    )


def _names(examples: Sequence[Example]) -> str:
    named = [f"“{e.row.id}” ({len(e.rendered.input_ids)})" for e in examples[:_NAMED_ROWS]]
    more = len(examples) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")
