"""Registering, promoting, rolling back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from evals.models import Cell, Comparison
from finetunes.actions.registry import (
    NoGrounds,
    NothingToRollBackTo,
    RunNotSucceeded,
    find_version,
    import_model,
    promote,
    register_run,
    roll_back,
)
from finetunes.bases import NotAModel, find_base
from finetunes.models import Alias, AliasMove, ModelVersion, RegisteredModel, TrainingRun
from finetunes.rendering import render_fingerprint
from finetunes.serving import registered_refs
from finetunes.supervision.engine_models import engine_id, manifest_entry
from tests.conftest import Cast
from tests.evals.factories import make_cells, make_comparison
from tests.registry.factories import BASE, NOON, make_model, make_run
from workbench.core import blobs
from workbench.core.errors import InvalidInput, NotFound
from workbench.core.models import Project
from workbench.providers.refs import EngineStarting, UnknownModel, known_refs, resolve


def move(model: RegisteredModel, number: int, alias: str = "production") -> Alias:
    return promote(model.versions.get(number=number), alias=alias, by=None, at=NOON, reason="Go")


def test_a_run_registered_twice_is_one_version(cast: Cast) -> None:
    run = make_run(cast.project)

    first = register_run(run, name="capital-letter", by=cast.bob)
    again = register_run(run, name="capital-letter", by=cast.alice)

    assert first == again
    assert (first.ref, first.kind, first.run, first.created_by) == (
        "capital-letter:1", "adapter", run, cast.bob,
    )  # fmt: skip
    assert first.dataset_version == run.dataset_version
    assert len(first.render_fingerprint) == 64


def test_another_run_becomes_the_next_version(cast: Cast) -> None:
    register_run(make_run(cast.project), name="capital-letter", by=None)

    second = register_run(make_run(cast.project), name="capital-letter", by=None)

    assert second.ref == "capital-letter:2"


def test_a_run_without_weights_cannot_be_registered(cast: Cast) -> None:
    run = make_run(cast.project, state=TrainingRun.State.FAILED)

    with pytest.raises(RunNotSucceeded, match="has not succeeded"):
        register_run(run, name="capital-letter", by=None)


@pytest.mark.parametrize("name", ["", "Capital", "a b", "../x", "a/b", "x" * 81, "a@b", "a:1"])
def test_a_name_that_could_not_be_looked_up_is_refused(cast: Cast, name: str) -> None:
    with pytest.raises(InvalidInput, match="cannot name a model"):
        register_run(make_run(cast.project), name=name, by=None)


def test_importing_the_same_folder_twice_is_one_version(cast: Cast) -> None:
    first = import_model(cast.project, name="nano-base", path=BASE, by=None)

    assert import_model(cast.project, name="nano-base", path=BASE, by=None) == first
    assert {file["path"] for file in first.artifacts} >= {"config.json", "tokenizer.json"}


def test_importing_a_folder_that_changed_makes_a_new_version(cast: Cast, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(BASE, folder)
    first = import_model(cast.project, name="mine", path=folder, by=None)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"changed": True}))

    second = import_model(cast.project, name="mine", path=folder, by=None)

    assert (first.number, second.number) == (1, 2)


def test_a_folder_without_a_model_is_refused(cast: Cast, tmp_path: Path) -> None:
    with pytest.raises(NotAModel, match=r"lacks config\.json"):
        import_model(cast.project, name="mine", path=tmp_path, by=None)

    assert not RegisteredModel.objects.exists()


def test_promoting_the_same_version_twice_is_one_move(cast: Cast) -> None:
    model = make_model(cast.project)

    move(model, 1)
    move(model, 1)

    assert AliasMove.objects.count() == 1
    assert find_version(cast.project, "capital-letter@production").number == 1


@pytest.mark.parametrize("alias", ["latest", "Production", "3", "", "a b", "a@b", "x" * 41])
def test_an_alias_that_could_not_be_looked_up_is_refused(cast: Cast, alias: str) -> None:
    version = make_model(cast.project).versions.get()

    with pytest.raises(InvalidInput, match="cannot be an alias"):
        promote(version, alias=alias, by=None, at=NOON, reason="Go")


def test_rolling_back_twice_goes_further_back_and_never_forward(cast: Cast) -> None:
    model = make_model(cast.project, versions=3)
    for number in (1, 2, 3):
        alias = move(model, number)

    numbers = [roll_back(alias, by=None, at=NOON).version.number for _ in range(2)]

    assert numbers == [2, 1]
    with pytest.raises(NothingToRollBackTo, match="first version it ever had"):
        roll_back(alias, by=None, at=NOON)
    assert AliasMove.objects.count() == 5


def test_a_promotion_after_a_roll_back_can_be_rolled_back(cast: Cast) -> None:
    model = make_model(cast.project, versions=3)
    move(model, 1)
    alias = move(model, 2)
    roll_back(alias, by=None, at=NOON)
    alias = move(model, 3)

    assert roll_back(alias, by=None, at=NOON).version.number == 1


def make_evidence(project: Project, *, ref: str = "capital-letter:1") -> Comparison:
    """A finished comparison in which the version answered rows."""
    comparison = make_comparison(project, refs=[ref])
    comparison.candidates.update(resolved=ref)
    make_cells(comparison.candidates.select_related("comparison").get(), [1, 0])
    Comparison.objects.filter(pk=comparison.pk).update(finished_at=NOON)
    return comparison


def test_evidence_must_be_about_the_version(cast: Cast) -> None:
    model = make_model(cast.project, versions=2)
    comparison = make_evidence(cast.project)
    first, second = model.versions.order_by("number")

    promote(first, alias="production", by=None, at=NOON, comparison_id=comparison.pk)

    with pytest.raises(InvalidInput, match="did not ask capital-letter:2"):
        promote(second, alias="production", by=None, at=NOON, comparison_id=comparison.pk)
    with pytest.raises(InvalidInput, match="did not ask"):
        promote(second, alias="production", by=None, at=NOON, comparison_id=uuid4())
    assert find_version(cast.project, "capital-letter@production") == first


def test_a_comparison_that_still_runs_is_no_evidence(cast: Cast) -> None:
    version = make_model(cast.project).versions.get()
    comparison = make_evidence(cast.project)
    Comparison.objects.update(finished_at=None)

    with pytest.raises(InvalidInput, match="has not finished"):
        promote(version, alias="production", by=None, at=NOON, comparison_id=comparison.pk)


def test_a_comparison_the_version_failed_in_is_no_evidence(cast: Cast) -> None:
    version = make_model(cast.project).versions.get()
    comparison = make_evidence(cast.project)
    Cell.objects.update(score=None, error="It refused.")

    with pytest.raises(InvalidInput, match="answered no row"):
        promote(version, alias="production", by=None, at=NOON, comparison_id=comparison.pk)


def test_the_first_promotion_needs_grounds_too(cast: Cast) -> None:
    version = make_model(cast.project).versions.get()

    with pytest.raises(NoGrounds, match="Say why production is to point at capital-letter:1"):
        promote(version, alias="production", by=None, at=NOON, reason=" ")

    assert not Alias.objects.exists()


def test_weights_in_a_remote_store_are_registered_by_their_address(
    cast: Cast, settings: Settings, tmp_path: Path
) -> None:
    settings.VAR_DIR, settings.ARTIFACTS_URL = tmp_path / "var", "memory://kept"
    address = blobs.publish(BASE, f"runs/{uuid4()}")
    run = make_run(cast.project, artifacts_path=address, adapter={"kind": "full"})

    version = register_run(run, name="capital-letter", by=None)
    base = find_base(cast.project, "capital-letter:1")
    again = import_model(cast.project, name="copy", path=base.address, by=None)

    assert version.path == base.address == again.path == address
    assert address.startswith("memory://")
    assert version.render_fingerprint == again.render_fingerprint
    assert (base.path / "config.json").is_file()
    assert Path(manifest_entry(version)["path"]).is_relative_to(tmp_path / "var")


def test_weights_under_an_earlier_local_root_stay_registered(
    cast: Cast, settings: Settings, tmp_path: Path
) -> None:
    settings.ARTIFACTS_URL = (tmp_path / "first").as_uri()
    address = blobs.publish(BASE, "runs/1")
    settings.ARTIFACTS_URL = str(tmp_path / "second")
    run = make_run(cast.project, artifacts_path=address)

    version = register_run(run, name="capital-letter", by=None)

    assert version.path == str(tmp_path / "first" / "runs" / "1")
    assert manifest_entry(version)["path"] == version.path


def test_weights_that_are_gone_are_a_sentence(cast: Cast, tmp_path: Path) -> None:
    run = make_run(cast.project, artifacts_path="memory://gone/away")

    with pytest.raises(NotAModel, match="The weights at memory://gone/away cannot be read"):
        register_run(run, name="capital-letter", by=None)

    assert not RegisteredModel.objects.exists()


def test_the_model_is_not_locked_while_weights_are_read(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def looked(*given: Any) -> str:
        asked.extend(query["sql"] for query in connection.queries[before:])
        return render_fingerprint(*given)

    monkeypatch.setattr("finetunes.actions.registry.render_fingerprint", looked)
    run = make_run(cast.project)
    with CaptureQueriesContext(connection):
        before = len(connection.queries)
        register_run(run, name="capital-letter", by=None)
        before = len(connection.queries)
        import_model(cast.project, name="nano-base", path=BASE, by=None)

    assert asked
    assert not any("FOR UPDATE" in sql for sql in asked)


def test_pickers_ask_twice_whatever_the_number_of_models(cast: Cast) -> None:
    for number in range(4):
        make_model(cast.project, name=f"m{number}", versions=7)

    with CaptureQueriesContext(connection) as queries:
        refs = list(registered_refs(cast.project))

    assert len(queries) == 2
    assert refs[:6] == ["m0:7", "m0:6", "m0:5", "m0:4", "m0:3", "m1:7"]


def test_evidence_of_another_project_does_not_count(cast: Cast) -> None:
    version = make_model(cast.project).versions.get()
    foreign = make_evidence(cast.other_project)

    with pytest.raises(InvalidInput, match="did not ask"):
        promote(version, alias="production", by=None, at=NOON, comparison_id=foreign.pk)


@pytest.mark.parametrize(
    ("ref", "sentence"),
    [
        ("nobody:1", "No model “nobody” is registered"),
        ("capital-letter:9", "There is: capital-letter@production, capital-letter:1"),
        ("capital-letter@stagin", "There is no “capital-letter@stagin”"),
        ("capital-letter", "There is no “capital-letter”"),
        ("capital-letter:1²", "There is no"),
        ("capital-letter:999999999999", "There is no"),
    ],
)
def test_a_ref_that_means_nothing_says_what_there_is(cast: Cast, ref: str, sentence: str) -> None:
    move(make_model(cast.project), 1)

    with pytest.raises(NotFound) as caught:
        find_version(cast.project, ref)

    assert sentence in caught.value.sentence


def test_models_of_another_project_are_not_found(cast: Cast) -> None:
    make_model(cast.other_project)

    with pytest.raises(NotFound):
        find_version(cast.project, "capital-letter:1")


def test_engine_names_carry_the_project(cast: Cast) -> None:
    ours = make_model(cast.project).versions.get()
    theirs = make_model(cast.other_project).versions.get()

    assert engine_id(ours) == "support/capital-letter:1"
    assert engine_id(theirs) == "elsewhere/capital-letter:1"
    assert manifest_entry(ours)["id"] == "support/capital-letter:1"


def test_a_registered_model_without_a_runner_says_what_to_start(cast: Cast) -> None:
    move(make_model(cast.project), 1)

    with pytest.raises(EngineStarting, match=r"manage\.py runner"):
        resolve(cast.project, "capital-letter@production")
    with pytest.raises(UnknownModel, match="There is: capital-letter@production"):
        resolve(cast.project, "capital-letter@nothing")


def test_pickers_list_aliases_before_versions(cast: Cast) -> None:
    model = make_model(cast.project, versions=2)
    move(model, 1)

    assert known_refs(cast.project) == [
        "capital-letter@production", "capital-letter:2", "capital-letter:1",
    ]  # fmt: skip


def test_versions_number_themselves_without_gaps_per_model(cast: Cast) -> None:
    _register_three(cast.project)

    versions = ModelVersion.objects.order_by("model__name", "number")
    assert [version.number for version in versions] == [1, 2, 1]


def _register_three(project: Project) -> None:
    for name in ("a", "a", "b"):
        register_run(make_run(project), name=name, by=None)
