"""The job file: everything a training run is told, checked before any work."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from finetunes.rendering import RenderSettings

SCHEDULERS = ("cosine", "linear", "constant", "constant_with_warmup")


class JobProblem(ValueError):
    """The job file cannot be used; the message says which value to change and how."""


@dataclass(frozen=True)
class BaseModel:
    """Where the weights to start from lie, and the name people know them by."""

    path: Path
    name: str


@dataclass(frozen=True)
class RowsFile:
    """A file of rows inside the run directory, pinned by its SHA-256 (hex)."""

    file: str
    sha256: str


@dataclass(frozen=True)
class Adapter:
    """What is trained: `lora` (the low-rank fields apply) or `full` (every weight)."""

    kind: str = "lora"
    r: int = 16
    alpha: int = 32
    dropout: float = 0.0
    targets: str | tuple[str, ...] = "all-linear"


@dataclass(frozen=True)
class Hyperparameters:
    """`warmup` below 1 is a share of all steps, from 1 on a number of steps.

    `max_length` is in tokens; None takes the base model's context length.
    """

    epochs: float = 1.0
    learning_rate: float = 2e-4
    batch_size: int = 32
    gradient_accumulation: int = 1
    warmup: float = 0.03
    scheduler: str = "cosine"
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    max_length: int | None = None
    seed: int = 0


@dataclass(frozen=True)
class CheckpointPlan:
    """A checkpoint every so many steps; the newest `keep` stay on disk."""

    every_steps: int = 50
    keep: int = 2


@dataclass(frozen=True)
class TrainingJob:
    """One training run, as `job.json` tells it."""

    run_id: str
    attempt: int
    base_model: BaseModel
    train: RowsFile
    heldout: RowsFile | None = None
    method: str = "sft"
    adapter: Adapter = field(default_factory=Adapter)
    hyperparameters: Hyperparameters = field(default_factory=Hyperparameters)
    over_length: str = "refuse"
    render: RenderSettings = field(default_factory=RenderSettings)
    checkpoint: CheckpointPlan = field(default_factory=CheckpointPlan)
    log_every_steps: int = 1
    samples: int = 8
    threads: int | None = None

    def digest(self) -> str:
        """SHA-256 of all that decides the trained weights; a resume must find it unchanged."""
        told = {
            "train": self.train.sha256,
            "base_model": str(self.base_model.path),
            "method": self.method,
            "adapter": dataclasses.asdict(self.adapter),
            "hyperparameters": dataclasses.asdict(self.hyperparameters),
            "over_length": self.over_length,
            "render": self.render.to_json(),
        }
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def read_job(path: Path) -> TrainingJob:
    """Read and check a job file.

    Raises:
        JobProblem: it is absent, not JSON, or holds a value that cannot be used.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise JobProblem(f"There is no job file at {path}. Write job.json first.") from error
    except ValueError as error:
        raise JobProblem(f"The job file is not JSON ({error}). Write it again.") from error
    return parse_job(value)


def parse_job(value: object) -> TrainingJob:
    """Check a decoded job file.

    Raises:
        JobProblem: it holds a value that cannot be used.
    """
    if not isinstance(value, Mapping):
        raise JobProblem("The job must be a JSON object.")
    reader = _Reader(value, "")
    if reader.integer("version", 1) != 1:
        raise JobProblem("The job's `version` is not 1. Use the trainer of the same release.")
    return TrainingJob(
        run_id=reader.text("run_id"),
        attempt=reader.integer("attempt", 1, least=1),
        base_model=_base_model(reader.part("base_model")),
        train=_rows_file(reader.part("train")),
        heldout=_rows_file(reader.part("heldout")) if value.get("heldout") else None,
        method=reader.choice("method", ("sft",), "sft"),
        adapter=_adapter(reader.part("adapter")),
        hyperparameters=_hyperparameters(reader.part("hyperparameters")),
        over_length=reader.choice("over_length", ("refuse", "drop"), "refuse"),
        render=_render(reader.part("render")),
        checkpoint=_checkpoint(reader.part("checkpoint")),
        log_every_steps=reader.integer("log_every_steps", 1, least=1),
        samples=reader.integer("samples", 8, least=0),
        threads=reader.optional_integer("threads", least=1),
    )


class _Reader:
    """Typed access to one object of the job, with the path of a bad value in the sentence."""

    def __init__(self, value: Mapping[str, object], prefix: str) -> None:
        self._value = value
        self._prefix = prefix

    def part(self, key: str) -> _Reader:
        value = self._value.get(key, {})
        if not isinstance(value, Mapping):
            raise self._bad(key, "an object")
        return _Reader(value, f"{self._prefix}{key}.")

    def text(self, key: str) -> str:
        value = self._value.get(key)
        if not isinstance(value, str) or not value:
            raise self._bad(key, "a text that is not empty")
        return value

    def choice(self, key: str, choices: tuple[str, ...], default: str) -> str:
        value = self._value.get(key, default)
        if value not in choices:
            raise self._bad(key, f"one of: {', '.join(choices)}")
        return str(value)

    def integer(self, key: str, default: int, *, least: int = 0) -> int:
        value = self._value.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise self._bad(key, f"a whole number of at least {least}")
        return value

    def optional_integer(self, key: str, *, least: int) -> int | None:
        return None if self._value.get(key) is None else self.integer(key, least, least=least)

    def number(self, key: str, default: float, fits: Callable[[float], bool], what: str) -> float:
        value = self._value.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._bad(key, what)
        if not math.isfinite(value) or not fits(value):
            raise self._bad(key, what)
        return float(value)

    def raw(self, key: str, default: object = None) -> object:
        return self._value.get(key, default)

    def mapping(self) -> Mapping[str, object]:
        return self._value

    def _bad(self, key: str, wanted: str) -> JobProblem:
        got = json.dumps(self._value.get(key), default=str)
        return JobProblem(f"`{self._prefix}{key}` in the job is {got}. It must be {wanted}.")


def _base_model(reader: _Reader) -> BaseModel:
    path = Path(reader.text("path"))
    if not path.is_absolute():
        raise JobProblem("`base_model.path` in the job must be an absolute path.")
    return BaseModel(path=path, name=str(reader.raw("name") or path.name))


def _rows_file(reader: _Reader) -> RowsFile:
    name = reader.text("file")
    if Path(name).name != name:
        raise JobProblem(f"The rows file {name!r} must be a plain name in the run directory.")
    return RowsFile(file=name, sha256=reader.text("sha256"))


def _adapter(reader: _Reader) -> Adapter:
    targets = reader.raw("targets", "all-linear")
    if isinstance(targets, list):
        targets = tuple(str(target) for target in targets)
    if not targets or not isinstance(targets, str | tuple):
        raise JobProblem("`adapter.targets` must be “all-linear” or a list of layer names.")
    return Adapter(
        kind=reader.choice("kind", ("lora", "full"), "lora"),
        r=reader.integer("r", 16, least=1),
        alpha=reader.integer("alpha", 32, least=1),
        dropout=reader.number("dropout", 0.0, lambda x: 0 <= x < 1, "a number from 0 to below 1"),
        targets=targets,
    )


def _hyperparameters(reader: _Reader) -> Hyperparameters:
    def positive(x: float) -> bool:
        return x > 0

    def not_negative(x: float) -> bool:
        return x >= 0

    return Hyperparameters(
        epochs=reader.number("epochs", 1.0, positive, "a number above 0"),
        learning_rate=reader.number("learning_rate", 2e-4, positive, "a number above 0"),
        batch_size=reader.integer("batch_size", 32, least=1),
        gradient_accumulation=reader.integer("gradient_accumulation", 1, least=1),
        warmup=reader.number("warmup", 0.03, not_negative, "a share below 1 or a step count"),
        scheduler=reader.choice("scheduler", SCHEDULERS, "cosine"),
        weight_decay=reader.number("weight_decay", 0.0, not_negative, "a number from 0 on"),
        max_grad_norm=reader.number("max_grad_norm", 1.0, positive, "a number above 0"),
        max_length=reader.optional_integer("max_length", least=2),
        seed=reader.integer("seed", 0),
    )


def _render(reader: _Reader) -> RenderSettings:
    try:
        return RenderSettings.from_json(reader.mapping())
    except ValueError as error:
        raise JobProblem(str(error)) from error


def _checkpoint(reader: _Reader) -> CheckpointPlan:
    return CheckpointPlan(
        every_steps=reader.integer("every_steps", 50, least=1),
        keep=reader.integer("keep", 2, least=1),
    )
