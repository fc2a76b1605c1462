"""A project whose imports are really committed, and removed with all they stored."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

import requests_log.tasks  # noqa: F401 - says how an import is done
from requests_log.importers.models import Import
from tests.factories import make_project, nobody_stays
from tests.requests_log.conftest import forget_project
from workbench.core import broker
from workbench.core.models import Job, Project


@pytest.fixture
def transactional_db(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Rows are committed, because the store's own connections read and write them."""
    with django_db_blocker.unblock():
        with nobody_stays():
            yield
        broker.close_broker()  # its connection would outlive the test database
        connection.close()


@pytest.fixture
def project(transactional_db: None) -> Iterator[Project]:
    made = make_project(name="Support")
    yield made
    Import.objects.filter(project=made).delete()
    Job.objects.filter(project=made).delete()
    forget_project(made)


@pytest.fixture(autouse=True)
def _files_apart(tmp_path: Path, settings: Any) -> None:
    """Uploads and artifacts of a test lie in its own folder."""
    settings.ARTIFACTS_URL = str(tmp_path / "artifacts")
