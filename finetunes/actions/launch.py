"""Launching and cancelling training runs."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction

from finetunes.bases import find_base
from finetunes.defaults import ADAPTER_KINDS, ADAPTER_KNOBS, FIXED, read_knobs
from finetunes.models import TrainingRun
from requests_log.datasets.models import DatasetVersion
from workbench.core.errors import DomainError, InvalidInput
from workbench.core.models import Project, User

OVER_LENGTH = ("refuse", "drop")


class NothingToTrain(DomainError):
    """The dataset version has no row in its training split."""

    code = "nothing_to_train"


class RunFinished(DomainError):
    """The run has ended; there is nothing to cancel."""

    code = "run_finished"


def launch_run(
    project: Project,
    *,
    name: str,
    dataset_version: DatasetVersion,
    base_model: str,
    by: User | None,
    adapter: str = "lora",
    hyperparameters: dict[str, Any] | None = None,
    over_length: str = "refuse",
    start_request_id: UUID | None = None,
) -> TrainingRun:
    """Queue a training run; a runner takes it up.

    Asking twice with the same `start_request_id` gives the first run back.

    Raises:
        InvalidInput: a knob is out of bounds, or the base model cannot be used.
        NothingToTrain: the training split is empty.
        WithoutAnswers: the version holds texts or inputs.
    """
    if not name.strip():
        raise InvalidInput("Give the run a name.")
    if adapter not in ADAPTER_KINDS or over_length not in OVER_LENGTH:
        raise InvalidInput("Choose LoRA or full fine-tuning, and refuse or drop for long rows.")
    base = find_base(project, base_model)
    knobs = read_knobs(hyperparameters or {})
    require_training_rows(dataset_version)
    run = TrainingRun(
        project=project,
        name=name.strip()[:120],
        dataset_version=dataset_version,
        base_model=base.name,
        base_path=base.address,
        adapter=_adapter(adapter, knobs),
        hyperparameters=_hyperparameters(knobs),
        over_length=over_length,
        created_by=by,
        host=settings.RUNNER_HOST,
        start_request_id=start_request_id,
        max_attempts=5,
    )
    return _save_once(run)


def require_training_rows(version: DatasetVersion) -> None:
    """Raise NothingToTrain for an empty training split, WithoutAnswers for unanswered rows."""
    if not version.train_rows:
        raise NothingToTrain(
            f"{version} has no rows to train on. Freeze a version with a training split."
        )
    version.require_answers()


def cancel_run(run: TrainingRun, *, at: datetime) -> None:
    """Stop a run: at once when it waits, at its next step (with a checkpoint) when it trains.

    Raises:
        RunFinished: it has ended already.
    """
    with transaction.atomic():
        locked = TrainingRun.objects.select_for_update().get(pk=run.pk)
        if locked.is_finished:
            raise RunFinished(f"“{run}” has ended already: {locked.get_state_display().lower()}.")
        locked.cancel_requested = True
        if locked.state == TrainingRun.State.QUEUED and locked.lease_token is None:
            locked.state, locked.finished_at = TrainingRun.State.CANCELLED, at
        locked.save(update_fields=["cancel_requested", "state", "finished_at"])


def _save_once(run: TrainingRun) -> TrainingRun:
    try:
        with transaction.atomic():
            run.save(force_insert=True)
    except IntegrityError:
        if run.start_request_id is None:
            raise
        return TrainingRun.objects.get(project=run.project, start_request_id=run.start_request_id)
    return run


def _adapter(kind: str, knobs: dict[str, float]) -> dict[str, Any]:
    if kind == "full":
        return {"kind": "full"}
    return {
        "kind": "lora",
        "dropout": 0.0,
        "targets": "all-linear",
        **{name: knobs[name] for name in ADAPTER_KNOBS},
    }


def _hyperparameters(knobs: dict[str, float]) -> dict[str, Any]:
    return {**FIXED, **{name: v for name, v in knobs.items() if name not in ADAPTER_KNOBS}}
