"""What the engine is told to serve, when some weights are far away or gone."""

from __future__ import annotations

import json
import time
from pathlib import Path

import fsspec
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from finetunes.bases import BUILT_IN
from finetunes.models import Engine, ModelVersion
from finetunes.serving import resolve_registered, want_engine
from finetunes.supervision.engine_models import ModelList
from tests.conftest import Cast
from tests.finetunes.engine_programs import HEALTHY, Clock, keeper_of, tick_until, want
from tests.finetunes.stores import downloads
from tests.registry.factories import make_model, make_model_version
from workbench.providers.refs import EngineStarting, parse_ref

pytestmark = pytest.mark.django_db


def list_in(folder: Path) -> ModelList:
    folder.mkdir(parents=True, exist_ok=True)
    return ModelList(folder)


def ids_in(folder: Path) -> list[str]:
    entries = json.loads((folder / "models.json").read_text())["models"]
    return [entry["id"] for entry in entries]


def refresh_until_listed(models: ModelList, count: int) -> None:
    end = time.monotonic() + 60
    while len(models.listed) < count:
        models.refresh()
        assert time.monotonic() < end, models.unserved
        time.sleep(0.01)


def test_missing_weights_leave_one_model_out_and_the_engine_up(cast: Cast) -> None:
    model = make_model(cast.project)
    make_model_version(model, 2, path="memory://nothing/here")
    make_model_version(model, 3, path="/nothing/here")
    want()
    keeper = keeper_of(HEALTHY)

    engine = tick_until(keeper, lambda engine: bool(engine.url) and len(engine.unserved) == 2)
    keeper.stop()

    assert engine.serves == ["support/capital-letter:1"]
    assert "Models that cannot be served: 2" in engine.problem
    assert sorted(engine.unserved) == ["support/capital-letter:2", "support/capital-letter:3"]


def test_who_asks_for_a_model_without_weights_is_told_so(cast: Cast, var_dir: Path) -> None:
    model = make_model(cast.project)
    make_model_version(model, 2, path="/nothing/here")
    want_engine()
    keeper_of(HEALTHY).models.path.parent.mkdir(parents=True)
    keeper = keeper_of(HEALTHY)
    tick_until(keeper, lambda engine: bool(engine.url))

    with pytest.raises(EngineStarting, match=r"weights of capital-letter:2 cannot be read.*/noth"):
        resolve_registered(cast.project, parse_ref("capital-letter:2"))
    assert resolve_registered(cast.project, parse_ref("capital-letter:1")) is not None
    keeper.stop()


def test_a_slow_download_holds_up_neither_the_engine_nor_other_models(
    cast: Cast, tmp_path: Path
) -> None:
    fsspec.filesystem("slow").put(f"{BUILT_IN['nano-base']}/", "/far/", recursive=True)
    downloads.clear()
    model = make_model(cast.project)
    make_model_version(model, 2, path="slow://far")
    models = list_in(tmp_path / "engine")

    models.refresh()
    make_model_version(model, 3)
    models.refresh()
    near = ids_in(tmp_path / "engine")
    downloads.set()
    refresh_until_listed(models, 3)

    assert near == ["support/capital-letter:1", "support/capital-letter:3"]
    assert len(ids_in(tmp_path / "engine")) == 3


def test_nothing_is_read_again_while_no_version_came_or_went(cast: Cast, tmp_path: Path) -> None:
    make_model(cast.project, versions=3)
    models = list_in(tmp_path / "engine")
    models.refresh()

    with CaptureQueriesContext(connection) as queries:
        models.refresh()

    assert len(queries) == 1
    assert "artifacts" not in queries[0]["sql"]


def test_weights_that_came_back_are_served_after_a_while(cast: Cast, tmp_path: Path) -> None:
    model = make_model(cast.project)
    place = tmp_path / "weights"
    make_model_version(model, 2, path=str(place))
    clock, folder = Clock(), tmp_path / "engine"
    folder.mkdir()
    models = ModelList(folder, clock=clock, retry=60)
    models.refresh()
    place.mkdir()
    models.refresh()
    assert len(ids_in(folder)) == 1

    clock.now += 61
    models.refresh()

    assert len(ids_in(folder)) == 2
    assert models.unserved == {}
    assert models.problem == ""


def test_a_deleted_version_leaves_the_list(cast: Cast, tmp_path: Path) -> None:
    make_model(cast.project, versions=2)
    models = list_in(tmp_path / "engine")
    models.refresh()

    ModelVersion.objects.filter(number=1).delete()
    models.refresh()

    assert ids_in(tmp_path / "engine") == ["support/capital-letter:2"]


def test_a_new_runner_starts_from_the_list_it_finds(cast: Cast, tmp_path: Path) -> None:
    fsspec.filesystem("slow").put(f"{BUILT_IN['nano-base']}/", "/kept/", recursive=True)
    downloads.set()
    make_model_version(make_model(cast.project), 2, path="slow://kept")
    refresh_until_listed(list_in(tmp_path / "engine"), 2)
    downloads.clear()
    second = list_in(tmp_path / "engine")

    second.refresh()

    assert len(ids_in(tmp_path / "engine")) == 2
    downloads.set()
    second.wait(60)


def test_the_row_of_the_engine_carries_no_names_of_models_in_its_problem(cast: Cast) -> None:
    make_model_version(make_model(cast.project, name="secret-plan"), 2, path="/nothing/here")
    keeper = keeper_of(HEALTHY)

    keeper.tick()

    assert "secret-plan" not in Engine.objects.get().problem
