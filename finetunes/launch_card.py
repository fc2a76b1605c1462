"""The card beside the launch form: what the run would be, and what would make it fail."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings
from django.db.models.functions import Now

from finetunes.bases import Base
from finetunes.forms import LaunchForm
from finetunes.models import Engine
from finetunes.previews import WAIT_SECONDS, Sample, shelf
from finetunes.serving import RUNNER_SEEN_WITHIN
from requests_log.datasets.models import DatasetVersion

FEW_EXAMPLES = 50
FEW_STEPS = 10
SMALL_MODEL_BYTES = 100 << 20
SMALL_MODEL_RATE = 1e-3


@dataclass(frozen=True)
class Warned:
    """A sentence about the run; "bad" would make it fail, "warn" would make it worse."""

    tone: str
    sentence: str


@dataclass(frozen=True)
class LaunchCard:
    """What is known before the run. `sample` is None while it is being rendered."""

    version: DatasetVersion | None
    base: Base | None
    sample: Sample | None = None
    steps: int | None = None
    warnings: list[Warned] = field(default_factory=list)

    @property
    def is_waiting(self) -> bool:
        return self.version is not None and self.base is not None and self.sample is None

    @property
    def is_whole(self) -> bool:
        """Whether the sample is all of the training rows."""
        return bool(self.sample and self.version) and (
            self.sample.rows == self.version.train_rows  # type: ignore[union-attr]
        )

    @property
    def tokens(self) -> int | None:
        """Tokens of one epoch: counted for a small version, else projected from the sample."""
        if self.sample is None or self.version is None or not self.sample.rows:
            return None
        return round(self.sample.tokens * self.version.train_rows / self.sample.rows)

    @property
    def trained_share(self) -> float | None:
        """Share of the tokens the model is trained to write."""
        if self.sample is None or not self.sample.tokens:
            return None
        return self.sample.trained_tokens / self.sample.tokens


def card_of(form: LaunchForm) -> LaunchCard:
    """The card of a form that was validated, whatever came of it."""
    version, base = form.version, form.base
    sample = None
    if version is not None and base is not None:
        sample = shelf.sample(version, base, wait=WAIT_SECONDS)
    steps = _steps(form, version, sample)
    warnings = [*_refusals(form), *_about_rows(version)]
    if base is not None and sample is not None:
        warnings += _about_sample(form, base, sample)
    warnings += [*_about_steps(form, base, steps), *_about_runner()]
    return LaunchCard(version, base, sample, steps, warnings)


def _refusals(form: LaunchForm) -> Iterator[Warned]:
    for name in ("dataset_version", "base_model"):
        if form.data.get(name):
            yield from (Warned("bad", str(sentence)) for sentence in form.errors.get(name, []))


def _about_rows(version: DatasetVersion | None) -> Iterator[Warned]:
    if version is None or not version.train_rows:
        return
    if version.train_rows < FEW_EXAMPLES:
        yield Warned(
            "warn",
            f"{version.train_rows} {'example' if version.train_rows == 1 else 'examples'} to "
            "train on: few enough to learn by heart. Collect a few hundred.",
        )
    if not version.heldout_rows:
        yield Warned(
            "warn",
            "Nothing is held out, so the run cannot show whether the model learns or memorises. "
            "Freeze a version with a held-out share.",
        )


def _about_sample(form: LaunchForm, base: Base, sample: Sample) -> Iterator[Warned]:
    if sample.unusable:
        yield Warned("bad", sample.unusable)
    if sample.problems:
        first = sample.problems[0]
        yield Warned(
            "bad",
            f"{len(sample.problems)} of {sample.rows} sampled rows would stop the run, such as "
            f"{first.row_id[:12]}: {first.sentence}",
        )
    too_long = sample.longer_than(base.context)
    if too_long:
        yield _too_long(too_long, base, drops=form.cleaned_data.get("over_length") == "drop")


def _too_long(many: int, base: Base, *, drops: bool) -> Warned:
    some = "1 sampled example is" if many == 1 else f"{many:,} sampled examples are"
    read = f"{some} longer than the {base.context:,} tokens {base.name} reads"
    if drops:
        return Warned("warn", f"{read}. Such examples will be left out.")
    return Warned(
        "bad", f"{read}, so the run would stop. Leave such out, or choose another base model."
    )


def _about_steps(form: LaunchForm, base: Base | None, steps: int | None) -> Iterator[Warned]:
    if steps is not None and steps < FEW_STEPS:
        yield Warned(
            "warn",
            f"Only {steps} step{'s' if steps != 1 else ''}: the model will hardly change. "
            "Choose more epochs or a smaller batch.",
        )
    rate = _number(form, "learning_rate")
    if base is not None and rate and rate < SMALL_MODEL_RATE and _is_small(base.path):
        yield Warned(
            "warn",
            f"{base.name} is a small model and learns little at {rate:g}. Try 0.003.",
        )


def _about_runner() -> Iterator[Warned]:
    seen = Engine.objects.filter(
        host=settings.RUNNER_HOST, runner_seen_at__gt=Now() - RUNNER_SEEN_WITHIN
    )
    if not seen.exists():
        yield Warned(
            "warn",
            "No runner is at work, so the run will wait. Start one with `manage.py runner`.",
        )


def _steps(form: LaunchForm, version: DatasetVersion | None, sample: Sample | None) -> int | None:
    epochs, batch = _number(form, "epochs"), _number(form, "batch_size")
    if version is None or not epochs or not batch:
        return None
    answers = len(sample.lengths) / sample.rows if sample and sample.rows else 1.0
    return max(1, math.ceil(version.train_rows * answers * epochs / batch))


def _number(form: LaunchForm, name: str) -> float | None:
    if name in form.errors:
        return None
    return float(form.cleaned_data.get(name) or 0) or None


def _is_small(folder: Path) -> bool:
    """Whether the weights are those of a small model."""
    return sum(file.stat().st_size for file in folder.glob("*.safetensors")) < SMALL_MODEL_BYTES
