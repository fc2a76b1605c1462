"""The tokenizer side of a model: conversation to prompt ids, exactly as in training."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetunes.engine.manifest import ModelEntry
from finetunes.engine.problems import EngineProblem, model_refused
from finetunes.rendering import (
    RenderSettings,
    RowProblem,
    encode,
    render_examples,
    render_fingerprint,
    render_prompt,
    render_prompt_text,
)

MAX_PROMPTERS = 64
"""Tokenizers kept in memory; each is a few megabytes."""

LOADING = threading.Lock()
"""Held while a part of a model loads: Hugging Face's lazy imports are not safe side by side."""

_CONTEXT_KEYS = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length")
_PROBE = ({"role": "user", "content": "a"}, {"role": "assistant", "content": "b"})


@dataclass(frozen=True)
class Prompter:
    """A model's tokenizer with the settings it was trained under.

    `context_length` is in tokens, prompt and answer together. `eos_ids` are all ids that end an
    answer: what the model's files name, and what its chat template writes after an answer.
    """

    tokenizer: Any
    settings: RenderSettings
    context_length: int
    eos_ids: frozenset[int]

    def ids(
        self,
        messages: Sequence[Mapping[str, object]],
        tools: Sequence[Mapping[str, object]] | None = None,
    ) -> list[int]:
        """The prompt's ids.

        Raises:
            EngineProblem: the conversation cannot be rendered, or leaves no room for an answer.
        """
        try:
            ids = render_prompt(self.tokenizer, messages, tools=tools, settings=self.settings)
        except RowProblem as problem:
            raise EngineProblem(400, problem.code, problem.sentence, param="messages") from problem
        return self._with_room(ids, "messages")

    def text(
        self,
        messages: Sequence[Mapping[str, object]],
        tools: Sequence[Mapping[str, object]] | None = None,
    ) -> str:
        """The prompt as text: what `ids_of_text` makes the very ids of `ids` from.

        Raises:
            EngineProblem: the conversation cannot be rendered.
        """
        try:
            return render_prompt_text(self.tokenizer, messages, tools=tools, settings=self.settings)
        except RowProblem as problem:
            raise EngineProblem(400, problem.code, problem.sentence, param="messages") from problem

    def ids_of_text(self, text: str) -> list[int]:
        """The ids of a prompt written by hand; nothing is put before or behind it.

        Raises:
            EngineProblem: it is no Unicode, or leaves no room for an answer.
        """
        try:
            ids = encode(self.tokenizer, text)
        except RowProblem as problem:
            raise EngineProblem(400, problem.code, problem.sentence, param="prompt") from problem
        return self._with_room(ids, "prompt")

    def _with_room(self, ids: list[int], param: str) -> list[int]:
        if len(ids) >= self.context_length:
            raise EngineProblem(
                400,
                "context_length_exceeded",
                f"The prompt has {len(ids):,} tokens and this model reads at most "
                f"{self.context_length:,}, its answer included. Shorten the {param}.",
                param=param,
            )
        return ids


class Prompters:
    """Prompters made on first use; the ones unused for longest make room for new ones."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, ...], Prompter] = OrderedDict()

    def kept(self, entry: ModelEntry) -> Prompter | None:
        """The entry's prompter if it is there already."""
        prompter = self._kept.get(_key(entry))
        if prompter is not None:
            self._kept.move_to_end(_key(entry))
        return prompter

    def load(self, entry: ModelEntry) -> Prompter:
        """Read the tokenizer and check it; slow the first time (seconds).

        Raises:
            EngineProblem: the files are missing or render differently from training.
        """
        prompter = self.kept(entry)
        if prompter is None:
            with LOADING:
                prompter = self._kept[_key(entry)] = load_prompter(entry)
        while len(self._kept) > MAX_PROMPTERS:
            self._kept.popitem(last=False)
        return prompter


def load_prompter(entry: ModelEntry) -> Prompter:
    """Read one model's tokenizer, context length and end ids.

    Raises:
        EngineProblem: the files are missing, unreadable, or render differently from training.
    """
    _require_same_rendering(entry)
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(
            str(entry.path), local_files_only=True, trust_remote_code=False
        )
        configured = _configured_eos_ids(entry, tokenizer)
        written = _written_eos_ids(tokenizer, entry.render, configured)
    except (OSError, ValueError) as error:
        raise model_refused(
            "tokenizer_unreadable",
            f"The tokenizer of “{entry.id}” cannot be used: {error}. Register the model again "
            "from its training run's artifacts.",
        ) from error
    return Prompter(tokenizer, entry.render, _context_length(entry), configured | written)


def _require_same_rendering(entry: ModelEntry) -> None:
    try:
        found = render_fingerprint(entry.path, entry.render)
    except OSError as error:
        raise model_refused(
            "model_files_missing",
            f"The files of “{entry.id}” cannot be read from {entry.path} ({error.strerror}). "
            "Restore its artifacts, or register the model again.",
        ) from error
    if found != entry.fingerprint:
        raise model_refused(
            "render_fingerprint_mismatch",
            f"“{entry.id}” would read prompts differently from how it was trained: its tokenizer, "
            f"chat template or render settings have changed (fingerprint {found[:12]}…, trained "
            f"with {entry.fingerprint[:12]}…). Restore its artifacts, or train it again.",
        )


def _configured_eos_ids(entry: ModelEntry, tokenizer: Any) -> frozenset[int]:
    ids = {tokenizer.eos_token_id}
    for folder in (entry.base, entry.path):
        for name in ("config.json", "generation_config.json"):
            value = read_json(folder / name).get("eos_token_id")
            ids.update(value if isinstance(value, list) else [value])
    return frozenset(i for i in ids if isinstance(i, int))


def _written_eos_ids(
    tokenizer: Any, settings: RenderSettings, configured: frozenset[int]
) -> frozenset[int]:
    """The id that training put last in every answer, found by rendering a harmless example."""
    try:
        example = render_examples(tokenizer, _PROBE, settings=settings, eos_ids=configured)[0]
    except RowProblem:
        # A template may refuse so short a talk; what the files name must do then.
        return frozenset()
    return frozenset(example.input_ids[-1:])


def _context_length(entry: ModelEntry) -> int:
    config = read_json(entry.base / "config.json")
    text_config = config.get("text_config")
    for place in (text_config if isinstance(text_config, dict) else {}, config):
        for key in _CONTEXT_KEYS:
            if isinstance(place.get(key), int):
                return int(place[key])
    raise model_refused(
        "base_model_unusable",
        f"The base model of “{entry.id}” in {entry.base} does not say how long its context is. "
        "Add max_position_embeddings to its config.json.",
    )


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file, or an empty one where there is no file.

    Raises:
        ValueError: the file is not JSON.
    """
    if not path.is_file():
        return {}
    value = json.loads(path.read_text(encoding="utf-8"))
    return value if isinstance(value, dict) else {}


def _key(entry: ModelEntry) -> tuple[str, ...]:
    settings = json.dumps(entry.render.to_json(), sort_keys=True, default=str)
    return entry.id, str(entry.path), str(entry.base), entry.fingerprint, settings
