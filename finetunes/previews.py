"""What a run would train on: rows of a version rendered for a base model, and their sizes.

A sample is rendered in a thread, because the first use of a tokenizer takes seconds. Frozen rows
never change, so a sample is kept.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass
from typing import Any

from finetunes.bases import Base
from finetunes.rendering import (
    ChatTokenizer,
    RenderedExample,
    RenderSettings,
    RowProblem,
    render_examples,
    stop_token_ids,
)
from finetunes.rendering.tokenizer import decode
from finetunes.tokenizers import load_tokenizer
from requests_log.datasets.models import DatasetVersion

SAMPLE_ROWS = 200
ROWS_SHOWN = 3
MOST_CHARACTERS = 900
KEPT_SAMPLES = 64
WAIT_SECONDS = 0.4

Row = Mapping[str, Any]


@dataclass(frozen=True)
class RowShown:
    """A rendered row: what the model reads, and what it is trained to write."""

    row_id: str
    read: str
    trained: str
    answers: int


@dataclass(frozen=True)
class SampleProblem:
    """Why a sampled row would stop the run."""

    row_id: str
    sentence: str


@dataclass(frozen=True)
class Sample:
    """Facts of the rendered sample. Lengths are in tokens, one for each trained answer."""

    rows: int
    lengths: tuple[int, ...] = ()
    trained_tokens: int = 0
    shown: tuple[RowShown, ...] = ()
    problems: tuple[SampleProblem, ...] = ()
    unusable: str = ""

    @property
    def longest(self) -> int:
        return max(self.lengths, default=0)

    @property
    def tokens(self) -> int:
        return sum(self.lengths)

    def longer_than(self, context: int | None) -> int:
        """How many examples have more tokens than the model can read."""
        return sum(length > context for length in self.lengths) if context else 0


class SampleShelf:
    """Samples made by one thread, kept by version and base; safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: OrderedDict[tuple[object, ...], Future[Sample]] = OrderedDict()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sample-rows")

    def sample(self, version: DatasetVersion, base: Base, *, wait: float) -> Sample | None:
        """The sample, or None while it is still being made."""
        changed = (base.path / "tokenizer.json").stat().st_mtime_ns
        asked = (version.pk, str(base.path), changed)
        made = self._made.get(asked) or self._make(asked, sample_rows(version), base)
        try:
            return made.result(timeout=wait)
        except NotYet:
            return None

    def _make(self, asked: tuple[object, ...], rows: list[Row], base: Base) -> Future[Sample]:
        with self._lock:
            if asked not in self._made:
                self._made[asked] = self._thread.submit(make_sample, rows, base)
            made = self._made[asked]
            while len(self._made) > KEPT_SAMPLES:
                self._made.popitem(last=False)
        return made


shelf = SampleShelf()


def sample_rows(version: DatasetVersion) -> list[Row]:
    """The first training rows; their order is that of their hashes, so they are a fair sample."""
    rows: list[Row] = []
    for row in version.rows("train"):
        rows.append(row)
        if len(rows) == SAMPLE_ROWS:
            break
    return rows


def make_sample(rows: Sequence[Row], base: Base) -> Sample:
    """Render the rows as a run on this base would."""
    try:
        tokenizer = load_tokenizer(base.path)
    except Exception as problem:  # the library raises many kinds; each means the same
        return Sample(rows=len(rows), unusable=f"The tokenizer cannot be read: {problem}")
    ends = stop_token_ids(base.path, tokenizer)
    lengths: list[int] = []
    shown: list[RowShown] = []
    problems: list[SampleProblem] = []
    trained = 0
    for row in rows:
        try:
            examples = _examples(tokenizer, row, ends)
        except RowProblem as problem:
            problems.append(SampleProblem(str(row["id"]), problem.sentence))
            continue
        lengths.extend(len(example.input_ids) for example in examples)
        trained += sum(len(e.input_ids) - e.prompt_length for e in examples)
        if len(shown) < ROWS_SHOWN:
            shown.append(_shown(tokenizer, row, examples))
    return Sample(len(rows), tuple(lengths), trained, tuple(shown), tuple(problems))


def _examples(tokenizer: ChatTokenizer, row: Row, ends: frozenset[int]) -> list[RenderedExample]:
    settings = RenderSettings()
    return render_examples(
        tokenizer, row["messages"], tools=row.get("tools"), settings=settings, eos_ids=ends
    )


def _shown(tokenizer: ChatTokenizer, row: Row, examples: Sequence[RenderedExample]) -> RowShown:
    last = examples[-1]
    read = decode(tokenizer, last.input_ids[: last.prompt_length])
    trained = decode(tokenizer, last.input_ids[last.prompt_length :])
    return RowShown(str(row["id"]), _end(read), _start(trained), len(examples))


def _end(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else "…" + text[-MOST_CHARACTERS:]


def _start(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else text[:MOST_CHARACTERS] + "…"
