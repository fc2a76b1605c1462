"""TRL's SFT trainer, fed with our own ids and labels, with our checkpoints and order."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Sampler
from trl import SFTConfig, SFTTrainer

from finetunes.trainer import state as run_state
from finetunes.trainer.checkpoint import Checkpoints
from finetunes.trainer.exit_codes import ExitCode, TrainingStopped
from finetunes.trainer.job import Hyperparameters, TrainingJob
from finetunes.trainer.loss import can_score_supervised_only, supervised_loss
from finetunes.trainer.state import Progress

_STATE_FILE = "trainer_state.json"  # the name transformers.Trainer reads on resume


class TrainingOrder(Sampler[int]):
    """Yields the examples in an order fixed beforehand, over all epochs at once.

    With one long pass instead of epochs, a resume is one number: how many batches are done.
    """

    def __init__(self, order: Sequence[int]) -> None:
        self._order = order

    def __iter__(self) -> Iterator[int]:
        return iter(self._order)

    def __len__(self) -> int:
        return len(self._order)


class RowsTrainer(SFTTrainer):  # type: ignore[misc]
    """SFT over examples whose ids and labels are used as they are.

    Counts the tokens it reads in `tokens_read`.
    """

    def __init__(
        self, *, order: Sequence[int], checkpoints: Checkpoints, progress: Progress, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.tokens_read = 0
        self.progress = progress
        self._order = order
        self._checkpoints = checkpoints
        self._supervised_only = can_score_supervised_only(self.model, self.args.device)

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """Mean loss over the trained tokens; on a CPU only those are put through the head."""
        if "attention_mask" in inputs:
            self.tokens_read += int(inputs["attention_mask"].sum())
        if not self._supervised_only or return_outputs:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        return supervised_loss(model, inputs, num_items_in_batch)

    def floating_point_ops(self, inputs: Any) -> int:
        """Not counted: walking every module at each step costs a tenth of a small model's time."""
        return 0

    def score(self, inputs: dict[str, Any]) -> float:
        """Mean loss over the trained tokens of one padded batch, without training on it."""
        with torch.no_grad(), self.compute_loss_context_manager():
            loss = float(self.compute_loss(self.model, inputs))
        self._metrics["eval"].clear()
        return loss

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        return TrainingOrder(self._order)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        if not math.isfinite(float(self._tr_loss)):
            raise not_a_number(self.state.global_step)
        aside = self._checkpoints.begin(self.state.global_step)
        run_state.save_weights(aside, self.model)
        run_state.save_optimizer(aside, self.optimizer, self.lr_scheduler, self.progress)
        # The history is in the event file; here it would grow with every step.
        self.state.log_history = []
        self.state.save_to_json(str(aside / _STATE_FILE))
        self._checkpoints.complete(aside, self.state.global_step)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        run_state.load_weights(Path(resume_from_checkpoint), model or self.model)

    def _load_optimizer_and_scheduler(self, checkpoint_dir: str | None) -> None:
        if checkpoint_dir is not None:
            folder = Path(checkpoint_dir)
            run_state.load_optimizer(folder, self.optimizer, self.lr_scheduler)

    def _load_rng_state(self, checkpoint_dir: str | None) -> None:
        if checkpoint_dir is not None:
            run_state.load_random(Path(checkpoint_dir))


def not_a_number(step: int) -> TrainingStopped:
    """The failure of a run whose loss or gradient is no longer a number."""
    return TrainingStopped(
        ExitCode.NOT_A_NUMBER,
        "not_a_number",
        f"The loss stopped being a number at step {step}. Start a new run with a lower learning "
        "rate (a tenth is a good try).",
    )


def trainer_settings(
    job: TrainingJob, run_dir: Path, *, examples: int, recompute: bool
) -> SFTConfig:
    """The library's settings for a job; everything it would do on its own is off."""
    chosen = job.hyperparameters
    on_gpu = torch.cuda.is_available()
    return SFTConfig(
        output_dir=str(run_dir),
        num_train_epochs=1,
        per_device_train_batch_size=chosen.batch_size,
        gradient_accumulation_steps=chosen.gradient_accumulation,
        learning_rate=chosen.learning_rate,
        lr_scheduler_type=chosen.scheduler,
        warmup_steps=warmup_steps(chosen, examples),
        weight_decay=chosen.weight_decay,
        max_grad_norm=chosen.max_grad_norm,
        # 0.95: second-moment horizon of 20 steps, as short runs need (Tinker cookbook).
        adam_beta2=0.95,
        optim="adamw_torch_fused",
        seed=chosen.seed,
        use_cpu=not on_gpu,
        bf16=on_gpu,
        gradient_checkpointing=recompute,
        max_length=None,
        packing=False,
        dataset_kwargs={"skip_prepare_dataset": True},
        dataloader_num_workers=0,
        dataloader_pin_memory=on_gpu,
        logging_steps=job.log_every_steps,
        logging_first_step=True,
        logging_nan_inf_filter=False,
        save_strategy="no",
        eval_strategy="no",
        report_to="none",
        disable_tqdm=True,
        log_level="error",
    )


def total_steps(chosen: Hyperparameters, examples: int) -> int:
    """Optimizer steps to train `examples` (counted over all epochs) once."""
    return math.ceil(math.ceil(examples / chosen.batch_size) / chosen.gradient_accumulation)


def warmup_steps(chosen: Hyperparameters, examples: int) -> int:
    """Whole warm-up steps; rounded down, so that a run of few steps wastes none at rate 0."""
    if chosen.warmup >= 1:
        return int(chosen.warmup)
    return int(chosen.warmup * total_steps(chosen, examples))
