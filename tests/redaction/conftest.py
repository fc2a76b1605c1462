"""A web server, a project whose rows are really committed, and a policy for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from requests_log.redaction.actions import save_policy
from requests_log.redaction.models import PolicyVersion
from tests.factories import make_api_key, make_project
from tests.requests_log.conftest import Sender, forget_project, transactional_db
from workbench.core.models import Project

__all__ = ["transactional_db"]


@pytest.fixture
def project(transactional_db: None) -> Iterator[Project]:
    """Like the project of the log's tests, but its policies go too."""
    made = make_project(name="Careful")
    yield made
    for table in ("redaction_policyversion", "redaction_withheld"):
        with connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {table} WHERE project_id = %s", [made.pk])  # noqa: S608
    forget_project(made)


@pytest.fixture
def sender(web_url: str, project: Project) -> Sender:
    return Sender(web_url, project, make_api_key(project)[1])


def make_policy(project: Project, *, enabled: bool = True, **rules: Any) -> PolicyVersion:
    return save_policy(
        project,
        document=rules or {"detectors": {"email": "label"}},
        enabled=enabled,
        note="",
        by=None,
        at=timezone.now(),
    )
