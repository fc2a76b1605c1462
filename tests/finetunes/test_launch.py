"""What may be launched, and what is refused with a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from finetunes.actions.launch import NothingToTrain, RunFinished, cancel_run
from finetunes.actions.registry import import_model, register_run
from finetunes.bases import BUILT_IN, NotAModel
from finetunes.models import TrainingRun
from tests.conftest import Cast
from tests.finetunes.factories import make_run, make_version
from workbench.core.errors import InvalidInput


def test_a_run_waits_with_its_settings_written_down(cast: Cast) -> None:
    run = make_run(cast.project, hyperparameters={"epochs": 3}, by=cast.bob)

    run.refresh_from_db()
    assert run.state == TrainingRun.State.QUEUED
    assert run.base_path == str(BUILT_IN["nano-base"])
    assert run.hyperparameters["epochs"] == 3
    assert run.hyperparameters["scheduler"] == "cosine"
    assert run.adapter == {
        "kind": "lora", "r": 4, "alpha": 8, "dropout": 0.0, "targets": "all-linear"
    }  # fmt: skip
    assert run.created_by == cast.bob


def test_an_unknown_base_is_refused_with_the_names_there_are(cast: Cast) -> None:
    with pytest.raises(InvalidInput, match="nano-base, nano-teacher"):
        make_run(cast.project, base_model="gpt-42")


def test_a_base_outside_the_model_folders_is_refused(cast: Cast, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="MODEL_DIRS"):
        make_run(cast.project, base_model=str(tmp_path))


def test_a_link_out_of_the_model_folders_is_refused(
    cast: Cast, tmp_path: Path, settings: Settings
) -> None:
    models = tmp_path / "models"
    models.mkdir()
    (models / "link").symlink_to(BUILT_IN["nano-base"])
    settings.MODEL_DIRS = [models]

    with pytest.raises(InvalidInput, match="MODEL_DIRS"):
        make_run(cast.project, base_model=str(models / "link"))


def test_a_folder_that_is_no_model_is_refused_with_what_it_lacks(
    cast: Cast, tmp_path: Path, settings: Settings
) -> None:
    settings.MODEL_DIRS = [tmp_path]
    (tmp_path / "config.json").write_text("{}")

    with pytest.raises(NotAModel, match=r"lacks tokenizer\.json, weights"):
        make_run(cast.project, base_model=str(tmp_path))


def test_a_registered_full_model_is_a_base_under_its_version(cast: Cast) -> None:
    import_model(cast.project, name="mine", path=BUILT_IN["nano-teacher"], by=None)

    run = make_run(cast.project, base_model="mine:1")

    assert run.base_path == str(BUILT_IN["nano-teacher"])
    with pytest.raises(InvalidInput, match="no base model"):
        make_run(cast.other_project, base_model="mine:1")


def test_a_version_without_training_rows_is_refused(cast: Cast) -> None:
    version = make_version(cast.project, heldout=100)

    with pytest.raises(NothingToTrain, match="Freeze a version with a training split"):
        make_run(cast.project, dataset_version=version)


@pytest.mark.parametrize(
    ("knob", "value"),
    [("epochs", 0), ("epochs", "many"), ("learning_rate", 1), ("batch_size", 1.5), ("r", -1),
     ("seed", float("nan"))],
)  # fmt: skip
def test_a_knob_out_of_bounds_is_refused_with_its_bounds(cast: Cast, knob: str, value: Any) -> None:
    with pytest.raises(InvalidInput, match=r"must be a (whole )?number from"):
        make_run(cast.project, hyperparameters={knob: value})


def test_an_unknown_knob_is_refused(cast: Cast) -> None:
    with pytest.raises(InvalidInput, match="no hyperparameter “warp”"):
        make_run(cast.project, hyperparameters={"warp": 9})


def test_the_same_start_request_starts_one_run(cast: Cast) -> None:
    asked = uuid4()
    version = make_version(cast.project)

    first = make_run(cast.project, dataset_version=version, start_request_id=asked)
    again = make_run(cast.project, dataset_version=version, start_request_id=asked)

    assert first.pk == again.pk
    assert TrainingRun.objects.in_project(cast.project).count() == 1


def test_a_run_that_waits_is_cancelled_at_once(cast: Cast) -> None:
    run = make_run(cast.project)

    cancel_run(run, at=timezone.now())

    run.refresh_from_db()
    assert (run.state, run.finished_at is not None) == (TrainingRun.State.CANCELLED, True)
    with pytest.raises(RunFinished, match="ended already"):
        cancel_run(run, at=timezone.now())


def test_weights_of_a_run_that_has_not_succeeded_cannot_be_registered(cast: Cast) -> None:
    run = make_run(cast.project)

    with pytest.raises(Exception, match="has not succeeded"):
        register_run(run, name="capital-letter", by=None)
