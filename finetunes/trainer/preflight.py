"""Checks before any training library is loaded: the base model's files and the rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from finetunes.rendering import Message
from finetunes.rendering.fingerprint import chat_template_text
from finetunes.trainer.exit_codes import ExitCode, TrainingStopped
from finetunes.trainer.job import RowsFile

_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")


@dataclass(frozen=True)
class Row:
    """One conversation of a rows file; `line` counts from 1."""

    id: str
    line: int
    messages: list[Message]
    tools: list[Message] | None


def check_base_model(path: Path) -> None:
    """Check that a directory holds a causal model we may load: safetensors and a chat template.

    Raises:
        TrainingStopped: with `BAD_BASE_MODEL` and what to do.
    """
    if not path.is_dir():
        raise _bad_model("base_model_missing", f"There is no base model at {path}. Download it.")
    for name in ("config.json", "tokenizer.json"):
        if not (path / name).is_file():
            raise _bad_model(
                "base_model_incomplete",
                f"The base model at {path} has no {name}. Download the whole model again.",
            )
    if not any(path.glob("*.safetensors")):
        raise _no_safetensors(path)
    if not chat_template_text(path):
        raise _bad_model(
            "no_chat_template",
            f"The base model at {path} has no chat template. Choose an instruct or chat variant, "
            "or add a chat_template.jinja file.",
        )
    if "auto_map" in _config(path):
        raise _bad_model(
            "needs_remote_code",
            f"The base model at {path} needs its own program code, which is never run here. "
            "Choose a model that transformers supports by itself.",
        )


def context_length(path: Path) -> int | None:
    """The base model's context length in tokens, if its configuration tells one."""
    value = _config(path).get("max_position_embeddings")
    return value if isinstance(value, int) else None


def read_rows(run_dir: Path, file: RowsFile) -> list[Row]:
    """The rows of a file whose bytes are the ones the job was made for.

    Raises:
        TrainingStopped: with `BAD_DATA`: absent, changed, empty, or a line is not a row.
    """
    path = run_dir / file.file
    if not path.is_file():
        raise _bad_rows("rows_missing", f"The run directory has no {file.file}. Write it first.")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise _bad_rows(
            "rows_changed",
            f"{file.file} is not the file this job was made for: its SHA-256 differs. "
            "Start a new run for changed data.",
        )
    rows = list(_rows(content, file.file))
    if not rows:
        raise _bad_rows("no_rows", f"{file.file} holds no rows. Freeze a dataset with examples.")
    return rows


def _rows(content: bytes, name: str) -> Iterator[Row]:
    for number, line in enumerate(content.split(b"\n"), start=1):
        if line.strip():
            yield _row(line, number, name)


def _row(line: bytes, number: int, name: str) -> Row:
    try:
        value = json.loads(line)
    except ValueError as error:
        raise _bad_line(number, name, f"is not JSON ({error})") from error
    if not isinstance(value, dict) or not isinstance(value.get("messages"), list):
        raise _bad_line(number, name, "has no list of `messages`")
    tools = value.get("tools")
    if tools is not None and not isinstance(tools, list):
        raise _bad_line(number, name, "has `tools` that are not a list")
    row_id = str(value.get("id") or f"line {number}")
    return Row(id=row_id, line=number, messages=value["messages"], tools=tools or None)


def _config(path: Path) -> dict[str, object]:
    try:
        value = json.loads((path / "config.json").read_text(encoding="utf-8"))
    except ValueError as error:
        raise _bad_model(
            "base_model_incomplete", f"The base model's config.json is not JSON ({error})."
        ) from error
    return value if isinstance(value, dict) else {}


def unreadable(path: Path, error: Exception) -> TrainingStopped:
    """The failure of a base model whose files a library cannot read."""
    return TrainingStopped(
        ExitCode.BAD_BASE_MODEL,
        "base_model_unreadable",
        f"The base model at {path} cannot be loaded ({error}). Download it again, or choose a "
        "model that this release of transformers supports.",
    )


def _no_safetensors(path: Path) -> TrainingStopped:
    if any(file for pattern in _PICKLES for file in path.glob(pattern)):
        return _bad_model(
            "pickled_weights",
            f"The base model at {path} keeps its weights in a pickle file, which can run any "
            "program when opened. Convert it to safetensors, or download such a variant.",
        )
    return _bad_model(
        "no_weights", f"The base model at {path} has no weights. Download the whole model again."
    )


def _bad_model(code: str, sentence: str) -> TrainingStopped:
    return TrainingStopped(ExitCode.BAD_BASE_MODEL, code, sentence)


def _bad_rows(code: str, sentence: str) -> TrainingStopped:
    return TrainingStopped(ExitCode.BAD_DATA, code, sentence)


def _bad_line(number: int, name: str, what: str) -> TrainingStopped:
    return TrainingStopped(
        ExitCode.BAD_DATA,
        "bad_row",
        f"Line {number} of {name} {what}. Export the dataset again.",
        row=f"line {number}",
    )
