"""A program that exports spans to a running web server."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import httpx2 as httpx
import pytest

from requests_log import bodies
from requests_log.digest.run import digest_once
from requests_log.models import LoggedRequest, LoggedSpan, RequestBody
from requests_log.otlp.models import OtlpSpan
from requests_log.otlp.spans import OtelSpan
from tests.factories import make_api_key
from tests.otlp.spans import as_protobuf
from tests.requests_log.conftest import project, transactional_db
from workbench.core.models import Project

__all__ = ["exporter", "project", "transactional_db"]
PROTOBUF = "application/x-protobuf"


@dataclass(frozen=True)
class Exporter:
    """Something that sends spans to one project, and what became of them."""

    url: str
    project: Project
    key: str

    def post(
        self, content: bytes, *, path: str = "/v1/traces", kind: str = PROTOBUF, **headers: str
    ) -> httpx.Response:
        given = {"Authorization": f"Bearer {self.key}", "Content-Type": kind}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.post(f"{self.url}{path}", content=content, headers=given | named, timeout=120)

    def export(self, *spans: OtelSpan) -> None:
        """Send spans that must all be taken."""
        answer = self.post(as_protobuf(*spans))
        assert (answer.status_code, answer.content) == (200, b"")

    def requests(self) -> list[LoggedRequest]:
        """The project's requests with their digests made, oldest first."""
        while digest_once():
            pass
        return list(LoggedRequest.objects.in_project(self.project).order_by("id"))

    def spans(self) -> list[LoggedSpan]:
        return list(LoggedSpan.objects.in_project(self.project).order_by("id"))

    def raw(self) -> list[OtlpSpan]:
        return list(OtlpSpan.objects.in_project(self.project).order_by("id"))

    def bodies(self) -> tuple[Any, Any]:
        """Request and response of the one call there is."""
        found = bodies.read(RequestBody.objects.in_project(self.project).get())
        response = None if found.response is None else json.loads(found.response)
        return json.loads(found.request), response


@pytest.fixture
def exporter(web_url: str, project: Project) -> Exporter:
    return Exporter(web_url, project, make_api_key(project)[1])
