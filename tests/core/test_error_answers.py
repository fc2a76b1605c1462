"""How failures look: pages, fragments, forms and API documents; and the headers on all of them."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

from tests.conftest import Cast
from tests.core.routes import routes
from workbench.core.access import open_page
from workbench.core.errors import DomainError
from workbench.urls import handler400, handler403, handler404, handler500, urlpatterns

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]
SENTENCE = "The dataset is frozen. Make a new version instead."


@open_page
def refuses(request: HttpRequest) -> HttpResponse:
    raise DomainError(SENTENCE, code="frozen")


@open_page
def breaks(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("with a secret in it: s3cr3t")


urlpatterns = [
    *urlpatterns,
    path("test/refuses/", refuses),
    path("api/test/refuses/", refuses),
    path("test/breaks/", breaks),
    path("api/test/breaks/", breaks),
]
in_test = pytest.mark.urls(__name__)


@pytest.fixture
def client(cast: Cast) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(cast.alice)
    return client


@in_test
def test_a_refusal_becomes_a_toast_for_htmx(client: Client) -> None:
    answer = client.post("/test/refuses/", headers={"HX-Request": "true"})

    assert answer.status_code == 204
    assert SENTENCE in answer["HX-Trigger"]


@in_test
def test_a_refused_form_comes_back_with_the_sentence(client: Client) -> None:
    answer = client.post("/test/refuses/", headers={"Referer": "http://testserver/projects/new/"})

    assert answer["Location"] == "http://testserver/projects/new/"
    assert SENTENCE in client.get("/projects/new/").content.decode()


@in_test
def test_a_refused_form_of_another_site_does_not_lead_back_there(client: Client) -> None:
    answer = client.post("/test/refuses/", headers={"Referer": "http://evil.example/"})

    assert answer.status_code == 409
    assert SENTENCE in answer.content.decode()


@in_test
def test_a_refused_page_says_the_sentence(client: Client) -> None:
    answer = client.get("/test/refuses/")

    assert answer.status_code == 409
    assert SENTENCE in answer.content.decode()


@in_test
def test_a_refusal_becomes_a_document_for_programs(client: Client) -> None:
    answer = client.post("/api/test/refuses/")

    assert answer.status_code == 409
    assert answer.json() == {"error": {"code": "frozen", "message": SENTENCE}}


@in_test
@pytest.mark.parametrize("address", ["/test/breaks/", "/api/test/breaks/"])
def test_a_broken_page_tells_no_secrets(client: Client, address: str) -> None:
    answer = client.get(address)

    assert answer.status_code == 500
    assert "s3cr3t" not in answer.content.decode()
    assert "RuntimeError" not in answer.content.decode()


@in_test
def test_a_broken_endpoint_answers_with_a_document(client: Client) -> None:
    assert client.get("/api/test/breaks/").json()["error"]["code"] == "server_error"


@pytest.mark.parametrize(
    ("address", "more", "status"),
    [
        ("/no/such/page/", {}, 404),
        ("/api/v1/no-such-thing/", {}, 404),
        ("/sign-in/", {"headers": {"Host": "evil.example"}}, 400),
        ("/api/v1/requests/", {"headers": {"Host": "evil.example"}}, 400),
    ],
)
def test_errors_have_a_page_and_a_document(
    client: Client, address: str, more: dict[str, Any], status: int
) -> None:
    answer = client.get(address, **more)

    assert answer.status_code == status
    if address.startswith("/api/"):
        assert set(answer.json()["error"]) == {"code", "message"}
    else:
        assert "<h1" in answer.content.decode()


def test_a_body_that_is_too_large_is_refused_in_words(api: Client) -> None:
    body = b'{"name": "' + b"x" * (21 << 20) + b'"}'

    answer = api.post("/api/v1/datasets", body, content_type="application/json")

    assert answer.status_code in (400, 413)
    assert answer.json()["error"]["message"]


SAFE = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


@pytest.fixture
def answers(client: Client, cast: Cast) -> dict[str, Any]:
    """What every route answers to a GET of the project's owner."""
    return {route.name: client.get(route.address(cast.project.slug)) for route in routes()}


def test_every_answer_carries_the_security_headers(answers: dict[str, Any]) -> None:
    for name, answer in answers.items():
        policy = answer["Content-Security-Policy"]

        assert "default-src 'none'" in policy, name
        assert "frame-ancestors 'none'" in policy, name
        assert "unsafe" not in policy, name
        assert {header: answer[header] for header in SAFE} == SAFE, name


def test_no_page_has_a_script_or_style_of_its_own(answers: dict[str, Any]) -> None:
    for name, answer in answers.items():
        html = b"" if answer.streaming else answer.content

        assert b"<style" not in html, name
        assert b" onclick=" not in html, name
        assert b" style=" not in html, name
        assert all(b"src=" in tag or b"json" in tag for tag in _script_tags(html)), name


def _script_tags(html: bytes) -> list[bytes]:
    return [part.partition(b">")[0] for part in html.split(b"<script")[1:]]


@pytest.mark.parametrize("address", ["/static/core/css/tokens.css", "/static/no-such-file.js"])
def test_static_files_carry_the_policy_too(client: Client, address: str) -> None:
    answer = client.get(address)
    answer.close()

    assert "default-src 'none'" in answer["Content-Security-Policy"]
