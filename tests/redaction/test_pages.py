"""The redaction page: who may do what, saving versions, trying rules."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.test import Client

from requests_log.redaction.models import PolicyVersion
from tests.conftest import Cast
from tests.factories import make_api_key
from tests.redaction.conftest import make_policy
from tests.requests_log.factories import make_call, store_calls
from workbench.core.models import Project, User

FORM: dict[str, Any] = {
    "enabled": "on",
    "detectors": ["email", "credit_card"],
    "replacement-email": "hash",
    "replacement-credit_card": "label",
    "pattern_name": ["Order number", ""],
    "pattern": [r"\bORD-\d+\b", ""],
    "pattern_label": ["", ""],
    "pattern_replacement": ["drop", "label"],
    "places": ["request", "response"],
    "note": "as agreed",
}


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def page_of(cast: Cast, path: str = "") -> str:
    return f"/p/{cast.project.slug}/settings/redaction/{path}"


def words(content: bytes) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", content.decode())))


def test_an_editor_saves_versions_that_say_who_and_why(cast: Cast) -> None:
    bob = browser(cast.bob)

    bob.post(page_of(cast, "save/"), FORM)
    bob.post(page_of(cast, "save/"), {**FORM, "note": "off for now", "enabled": []})

    second, first = PolicyVersion.objects.in_project(cast.project).newest_first()
    assert (first.number, first.enabled, first.author, first.note) == (
        1, True, cast.bob, "as agreed",
    )  # fmt: skip
    assert first.document == {
        "detectors": {"email": "hash", "credit_card": "label"},
        "patterns": [
            {
                "name": "Order number", "pattern": r"\bORD-\d+\b", "label": "ORDER_NUMBER",
                "replacement": "drop", "on": True,
            }
        ],
        "places": ["request", "response"],
        "keys": False,
    }  # fmt: skip
    assert (second.number, second.enabled) == (2, False)
    shown = words(bob.get(page_of(cast)).content)
    assert "Redaction is off." in shown
    assert "as agreed" in shown


def test_a_pattern_that_will_not_do_leaves_the_form_as_it_was(cast: Cast) -> None:
    answer = browser(cast.bob).post(page_of(cast, "save/"), {**FORM, "pattern": [r"(a)\1", ""]})

    assert answer.status_code == 422
    assert "back-references such as \\1 are not supported" in words(answer.content)
    assert b'value="(a)\\1"' in answer.content
    assert b'value="as agreed"' in answer.content
    assert not PolicyVersion.objects.in_project(cast.project).exists()


def test_a_viewer_looks_and_tries_but_does_not_save(cast: Cast) -> None:
    victor = browser(cast.victor)

    shown = victor.get(page_of(cast))
    tried = victor.post(page_of(cast, "preview/"), {**FORM, "sample": "to ann@x.example"})
    saved = victor.post(page_of(cast, "save/"), FORM, headers={"HX-Request": "true"})

    assert b"Save a version" not in shown.content
    assert b"EMAIL_" in tried.content
    assert "Ask an owner" in saved["HX-Trigger"]
    assert not PolicyVersion.objects.in_project(cast.project).exists()


def test_trying_a_sample_marks_what_would_change(cast: Cast) -> None:
    sample = '{"a": "<b>ann@x.example</b>", "n": 4111111111111111, "o": "ORD-12"}'

    answer = browser(cast.bob).post(page_of(cast, "preview/"), {**FORM, "sample": sample})

    content = answer.content.decode()
    assert '<del class="diff-cut" title="email">ann@x.example</del>' in content
    assert "&lt;b&gt;" in content
    assert "<b>ann" not in content
    assert "2 finds." in words(answer.content)


@pytest.mark.parametrize(
    ("posted", "sentence"),
    [
        ({"sample": " "}, "Paste some text"),
        ({"calls": "x"}, "how many calls"),
        ({"calls": "51"}, "1 to 50 calls"),
        ({"sample": "x", "pattern": ["[", ""]}, "cannot be read"),
    ],
)
def test_what_cannot_be_tried_is_said(cast: Cast, posted: dict[str, Any], sentence: str) -> None:
    answer = browser(cast.bob).post(page_of(cast, "preview/"), {**FORM, **posted})

    assert answer.status_code == 200
    assert sentence in words(answer.content)


def test_a_sample_that_would_be_withheld_is_said_to_be(cast: Cast) -> None:
    endless = {"pattern": ["ab", ""], "sample": "a" * 20 + "b" * 20}

    answer = browser(cast.bob).post(page_of(cast, "preview/"), {**FORM, **endless})

    assert "1 part would be withheld" in words(answer.content)


def test_the_page_of_a_version_says_what_it_was(cast: Cast) -> None:
    make_policy(cast.project, detectors={"iban": "drop"})
    make_policy(cast.project, detectors={"jwt": "drop"})

    answer = browser(cast.victor).get(page_of(cast, "versions/1/"))

    assert b'value="iban" checked' in answer.content
    assert b'value="jwt" checked' not in answer.content
    assert browser(cast.victor).get(page_of(cast, "versions/3/")).status_code == 404


def test_the_api_reads_saves_and_tries(api: Client, cast: Cast) -> None:
    rules = {"detectors": {"email": "label"}}

    before = api.get("/api/v1/redaction/").json()
    made = api.put("/api/v1/redaction/", {"rules": rules}, content_type="application/json").json()
    after = api.get("/api/v1/redaction/").json()
    tried = api.post(
        "/api/v1/redaction/preview/", {"text": "to ann@x.example"}, content_type="application/json"
    ).json()

    assert (before["policy"]["version"], before["policy"]["rules"]) == (0, {})
    assert (made["version"], made["enabled"]) == (1, True)
    assert made["rules"]["detectors"] == rules["detectors"]
    assert after["policy"] == made == api.get("/api/v1/redaction/versions/1/").json()
    assert api.get("/api/v1/redaction/versions/").json() == [made]
    assert tried["text"] == "to [EMAIL]"
    assert tried["finds"] == [{"rule": "email", "before": "ann@x.example", "after": "[EMAIL]"}]
    assert len(api.get("/api/v1/redaction/detectors/").json()) == 10


def test_the_api_refuses_in_the_same_words(api: Client) -> None:
    rules = {"patterns": [{"name": "p", "pattern": "(?=x)x", "label": "P"}]}

    answer = api.put("/api/v1/redaction/", {"rules": rules}, content_type="application/json")

    assert answer.status_code == 400
    assert "look-ahead" in answer.json()["error"]["message"]


def test_trying_the_newest_calls_shows_the_parts_that_would_change(project: Project) -> None:
    quiet = make_call(project)
    found = make_call(project, request=b'{"a":"ann@x.example"}', tags={"t": "bob@x.example"})
    store_calls([quiet, found])
    key = make_api_key(project)[1]

    answer = Client(headers={"Authorization": f"Bearer {key}"}).post(
        "/api/v1/redaction/preview/",
        {"calls": 10, "rules": {"detectors": {"email": "label"}}},
        content_type="application/json",
    )

    assert answer.json()["counts"] == {"email": 2}
    assert [(one["id"], one["part"]) for one in answer.json()["calls"]] == [
        (str(found.id), "request"),
        (str(found.id), "tag t"),
    ]
