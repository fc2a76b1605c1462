"""A dataset that is really committed, because jobs that load for long are kept by other threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import requests_log.datasets.tasks  # noqa: F401 - says how loading is done
from requests_log.datasets.imports import actions
from requests_log.datasets.imports.models import DatasetImport
from requests_log.datasets.models import Content, Dataset, Example
from tests.curate.factories import make_dataset
from tests.factories import make_project
from tests.importers.conftest import transactional_db  # noqa: F401 - a fixture
from tests.requests_log.conftest import forget_project
from workbench.core.models import Job
from workbench.core.queue import perform

Done = Callable[[DatasetImport], DatasetImport]


@pytest.fixture
def dataset(transactional_db: None) -> Iterator[Dataset]:  # noqa: F811 - the fixture
    project = make_project(name="Support")
    yield make_dataset(project)
    DatasetImport.objects.filter(project=project).delete()
    Example.objects.filter(dataset__project=project).delete()
    Content.objects.filter(project=project).delete()
    Dataset.objects.filter(project=project).delete()
    Job.objects.filter(project=project).delete()
    forget_project(project)


@pytest.fixture
def loaded() -> Done:
    """Does the loading that was asked for, and reads what became of it."""

    def load(made: DatasetImport) -> DatasetImport:
        assert made.state == "preparing"
        assert made.preparing is not None
        perform(made.preparing.pk, holder="test")
        return read(made)

    return load


@pytest.fixture
def taken_in() -> Done:
    """Adds the rows, and reads what became of it."""

    def take_in(made: DatasetImport) -> DatasetImport:
        job = actions.start_import(made, by=None).job
        assert job is not None
        perform(job.pk, holder="test")
        return read(made)

    return take_in


def read(made: DatasetImport) -> DatasetImport:
    return DatasetImport.objects.select_related("job", "preparing", "dataset").get(pk=made.pk)


@pytest.fixture(autouse=True)
def _files_apart(tmp_path: Path, settings: Any) -> None:
    """Uploads and artifacts of a test lie in its own folder."""
    settings.ARTIFACTS_URL = str(tmp_path / "artifacts")
