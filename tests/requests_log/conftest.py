"""A web server on the test database, and a client that sends it events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2 as httpx
import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client

from requests_log.bulk.models import BulkAction
from tests.factories import (
    make_api_key,
    make_member,
    make_project,
    make_user,
    nobody_stays,
)
from workbench.core import broker
from workbench.core.models import Job, Project, Role

TABLES = (
    "requests_log_request",
    "requests_log_tags",
    "requests_log_body",
    "requests_log_digest",
    "requests_log_span",
    "requests_log_otlp_span",
    "requests_log_score",
    "requests_log_undigested",
    "requests_log_text_waiting",
    "requests_log_text_segment",
    "requests_log_quarantine",
    "requests_log_dropped",
    "requests_log_price",
)


@dataclass(frozen=True)
class Sender:
    """A program that sends events to one project."""

    url: str
    project: Project
    key: str

    def post(self, content: bytes, **headers: str) -> httpx.Response:
        given = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.post(
            f"{self.url}/api/v1/ingest", content=content, headers=given | named, timeout=120
        )

    def send(self, *events: dict[str, Any], **envelope: Any) -> Any:
        """The answer's document for a batch that must be taken."""
        answer = self.post(json.dumps({"events": events, **envelope}).encode())
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def transactional_db(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Rows are committed, because servers and other connections read them.

    In place of pytest-django's fixture, which truncates every partition after each test; its
    name is what makes a file of such tests get a database when it runs alone.
    """
    with django_db_blocker.unblock():
        with nobody_stays():
            yield
            broker.close_broker()  # jobs asked for were really hinted at
        connection.close()


@pytest.fixture
def project(transactional_db: None) -> Iterator[Project]:
    """A project whose rows are really committed, and removed afterwards."""
    made = make_project(name="Support")
    yield made
    forget_project(made)


@pytest.fixture
def editor(project: Project) -> Iterator[Client]:
    """A browser in which an editor of the project is signed in, really committed."""
    user = make_user(name="Edith")
    membership = make_member(project, user, Role.EDITOR)
    client = Client()
    client.force_login(user)
    yield client
    Session.objects.all().delete()
    membership.delete()
    user.delete()


def forget_project(project: Project) -> None:
    for table in TABLES:
        with connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {table} WHERE project_id = %s", [project.pk])  # noqa: S608
    BulkAction.objects.filter(project=project).delete()
    Job.objects.filter(project=project).delete()
    project.api_keys.all().delete()
    Project.objects.filter(pk=project.pk)._raw_delete("default")


@pytest.fixture
def sender(web_url: str, project: Project) -> Sender:
    return Sender(web_url, project, make_api_key(project)[1])
