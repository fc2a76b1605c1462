"""What happens at each step beside training: metrics, checkpoints, evaluation, stopping."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from transformers.trainer_callback import TrainerCallback

from finetunes.trainer.events import CheckpointSaved, EventLog, Metrics
from finetunes.trainer.sft import RowsTrainer, not_a_number
from finetunes.trainer.signals import Pulse, StopRequest


class StepWatch(TrainerCallback):  # type: ignore[misc]
    """Writes metrics, asks for checkpoints and evaluations, and obeys a stop request."""

    def __init__(
        self,
        *,
        log: EventLog,
        pulse: Pulse,
        stop: StopRequest,
        examples: int,
        checkpoint_every: int,
        evaluate: Callable[[int], None],
        eval_steps: frozenset[int],
    ) -> None:
        self.trainer: RowsTrainer | None = None
        self._log = log
        self._pulse = pulse
        self._stop = stop
        self._examples = examples
        self._checkpoint_every = checkpoint_every
        self._evaluate = evaluate
        self._eval_steps = eval_steps
        self._since = (0, 0.0, 0)
        self._begun = (0, 0.0)

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Set the clocks."""
        now = time.monotonic()
        self._begun = (state.global_step, now)
        self._since = (state.global_step, now, 0)
        self._pulse.step = state.global_step

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Decide what this step's end asks for."""
        step = state.global_step
        self._pulse.step = step
        if step % self._checkpoint_every == 0 or step >= state.max_steps:
            control.should_save = True
        if self._stop.wanted is not None:
            control.should_save = True
            control.should_training_stop = True
        if step in self._eval_steps:
            self._evaluate(step)

    def on_log(
        self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **_: Any
    ) -> None:
        """Write metrics; a loss or gradient that is not a number ends the run here."""
        if logs is None or "loss" not in logs:
            return
        loss, norm = float(logs["loss"]), logs.get("grad_norm")
        if not math.isfinite(loss) or (norm is not None and not math.isfinite(norm)):
            raise not_a_number(state.global_step)
        self._log.emit(self._metrics(args, state, loss, norm, float(logs["learning_rate"])))

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Tell of the checkpoint."""
        step = state.global_step
        self._log.emit(CheckpointSaved(step=step, path=f"checkpoints/step-{step}"))

    def _metrics(
        self, args: Any, state: Any, loss: float, norm: float | None, rate: float
    ) -> Metrics:
        trainer = self.trainer
        if trainer is None:
            raise RuntimeError("StepWatch.trainer must be set before training.")
        now, step = time.monotonic(), state.global_step
        _, then, tokens = self._since
        first_step, begun = self._begun
        self._since = (step, now, trainer.tokens_read)
        trainer.progress.loss_last = loss
        if trainer.progress.loss_first is None:
            trainer.progress.loss_first = loss
        seconds_a_step = (now - begun) / max(1, step - first_step)
        batch = args.per_device_train_batch_size * args.gradient_accumulation_steps
        return Metrics(
            step=step,
            total_steps=state.max_steps,
            epoch=round(step * batch / self._examples, 4),
            loss=loss,
            learning_rate=rate,
            grad_norm=None if norm is None else float(norm),
            tokens_per_second=round((trainer.tokens_read - tokens) / max(now - then, 1e-6), 1),
            eta_seconds=round(seconds_a_step * (state.max_steps - step), 1),
        )
