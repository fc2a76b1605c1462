"""Imports by API, page and command: sent, looked at, started, followed."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client

from requests_log.importers import actions
from requests_log.importers.keeping import ImportBusy
from requests_log.importers.models import Import
from requests_log.models import RequestRow
from tests.conftest import Cast
from tests.factories import make_api_key, make_member, make_user
from tests.importers.factories import NOON, done, make_import, make_rows
from tests.importers.golden import SAMPLES
from workbench.core.bodylimit import MOST_BYTES_OF_FILE, limit_of
from workbench.core.errors import DomainError, OperatorProblem
from workbench.core.models import Job, Project, Role, User
from workbench.core.queue import perform

LANGSMITH = (SAMPLES / "langsmith.jsonl").read_bytes()


@pytest.fixture
def program(project: Project) -> Client:
    return Client(headers={"Authorization": f"Bearer {make_api_key(project)[1]}"})


def send(program: Client, content: bytes, **query: str) -> Any:
    return program.post(
        "/api/v1/imports", content, content_type="application/octet-stream", query_params=query
    )


def test_a_file_is_sent_started_and_followed(program: Client, project: Project) -> None:
    answer = send(program, LANGSMITH, name="runs.jsonl")

    sent = answer.json()
    assert answer.status_code == 201, answer.content
    assert sent["imported"]["format"] == "langsmith"
    assert sent["imported"]["state"] == "queued"
    assert [row["kind"] for row in sent["preview"]["rows"]][:3] == ["span", "score", "call"]
    address = f"/api/v1/imports/{sent['imported']['id']}/"
    perform(Job.objects.get(project=project).pk, holder="test")
    assert program.get(address).json()["state"] == "succeeded"
    assert program.get(address).json()["calls"] == 2
    assert program.get("/api/v1/imports").json()["imports"][0]["calls"] == 2


def test_a_form_upload_is_taken_too(program: Client) -> None:
    file = SimpleUploadedFile("runs.jsonl", LANGSMITH)

    answer = program.post("/api/v1/imports/", {"file": file})

    assert answer.status_code == 201
    assert answer.json()["imported"]["name"] == "runs.jsonl"


def test_a_file_that_was_only_looked_at_waits_to_be_started(
    program: Client, project: Project
) -> None:
    content = b'{"question": "Hi?", "said": "Hello."}\n'

    query = {"preview": "1", "map.prompt": "question", "map.completion": "said"}
    sent = send(program, content, **query).json()

    assert sent["imported"]["state"] == "draft"
    assert sent["preview"]["rows"][0]["input"] == "Hi?"
    assert sent["preview"]["rows"][0]["output"] == "Hello."
    assert not Job.objects.filter(project=project).exists()
    started = program.post(f"/api/v1/imports/{sent['imported']['id']}/start/")
    assert started.json()["state"] == "queued"


@pytest.mark.parametrize(
    ("content", "query", "says"),
    [
        (b"", {}, "Send the file"),
        (b"\x00\x01\x02", {}, "UTF-8"),
        (b'{"a": 1}', {}, "no known export"),
        (b"PK\x03\x04", {}, "Unpack it"),
        (b'{"prompt": "x"}', {"format": "nonsense"}, "format must be"),
        (b'{"prompt": "x"}', {"map.nonsense": "x"}, "no field"),
        (b'{"prompt": "x"}', {"undated": "yesterday"}, "undated"),
        (b'{"prompt": "x"}', {"undated": "1999-01-01T00:00:00Z"}, "2000"),
        (b"[1, 2]", {}, "not a JSON object"),
    ],
)
def test_what_cannot_be_imported_is_refused_with_a_sentence(
    program: Client, content: bytes, query: dict[str, str], says: str
) -> None:
    answer = send(program, content, **query)

    assert answer.status_code == 400
    assert says in answer.json()["error"]["message"]
    assert not Import.objects.exists()


def test_failed_rows_are_paged_by_line(program: Client, project: Project) -> None:
    made = done(make_import(project, make_rows(1) + b"{\n" * 1500))

    first = program.get(f"/api/v1/imports/{made.pk}/problems/").json()["problems"]
    rest = program.get(f"/api/v1/imports/{made.pk}/problems/?after=1001").json()["problems"]

    assert [row["line"] for row in first] == list(range(2, 1002))
    assert len(rest) == 500


def test_another_projects_import_is_not_there(program: Client, cast: Cast) -> None:
    made = make_import(cast.other_project, make_rows(1))

    for path in ("", "start/", "problems/"):
        method = program.post if path == "start/" else program.get
        assert method(f"/api/v1/imports/{made.pk}/{path}").status_code == 404


def test_only_uploads_may_be_large() -> None:
    assert limit_of("/api/v1/imports") == limit_of("/p/a/log/imports/") == MOST_BYTES_OF_FILE
    assert limit_of("/p/a/log/imports/x/start/") < MOST_BYTES_OF_FILE


def test_a_started_import_is_started_once(project: Project) -> None:
    made = actions.start_import(make_import(project, make_rows(2)), by=None)

    with pytest.raises(ImportBusy, match="under way"):
        actions.start_import(made, by=None)


def test_an_import_that_is_done_says_so(project: Project) -> None:
    made = done(make_import(project, make_rows(2)))

    with pytest.raises(DomainError, match="Upload the file"):
        actions.start_import(made, by=None)


@pytest.fixture
def editor(project: Project) -> Any:
    user = make_user(name="Edith")
    make_member(project, user, Role.EDITOR)
    client = Client()
    client.force_login(user)
    yield client
    Import.objects.filter(project=project).delete()
    Job.objects.filter(project=project).delete()
    User.objects.filter(pk=user.pk).delete()


def test_the_page_shows_what_would_be_stored_and_then_what_was(
    editor: Client, project: Project
) -> None:
    base = f"/p/{project.slug}/log/imports/"
    content = make_rows(3) + b"{broken\n"

    sent = editor.post(base, {"file": SimpleUploadedFile("calls.jsonl", content), "format": ""})
    page = editor.get(sent["Location"]).content.decode()

    assert "Recognised as <strong>Table of calls</strong>" in page
    assert "Question 0?" in page
    assert "These rows would fail" in page
    assert RequestRow.objects.in_project(project).count() == 0
    editor.post(sent["Location"] + "start/")
    assert "Waiting for a worker" in editor.get(sent["Location"]).content.decode()
    perform(Job.objects.get(project=project).pk, holder="test")
    page = editor.get(sent["Location"]).content.decode()
    assert "Failed rows" in page
    assert "It is not JSON" in page
    assert b"4,It is not JSON" in editor.get(sent["Location"] + "problems/").content
    assert "calls.jsonl" in editor.get(base).content.decode()


def test_the_page_that_watches_is_loaded_again_at_the_end(editor: Client, project: Project) -> None:
    made = actions.start_import(make_import(project, make_rows(3)), by=None)
    address = f"/p/{project.slug}/log/imports/{made.pk}/"

    running = editor.get(address, headers={"HX-Request": "true"})
    perform(Job.objects.get(project=project).pk, holder="test")
    ended = editor.get(address, headers={"HX-Request": "true"})

    assert "HX-Refresh" not in running
    assert ended["HX-Refresh"] == "true"


def test_columns_are_chosen_on_the_page(editor: Client, project: Project) -> None:
    content = b"id,question,said\n1,Hi?,Hello.\n"
    made = make_import(project, content, name="c.csv")
    address = f"/p/{project.slug}/log/imports/{made.pk}/"

    editor.post(
        address + "change/", {"format": "calls", "map.completion": "said", "map.prompt": "question"}
    )

    page = editor.get(address).content.decode()
    assert "→ Hello." in page
    assert done(Import.objects.get(pk=made.pk)).calls == 1


def test_a_draft_is_discarded_with_its_file(
    editor: Client, project: Project, tmp_path: Path
) -> None:
    made = make_import(project, make_rows(1))

    editor.post(f"/p/{project.slug}/log/imports/{made.pk}/discard/")

    assert not Import.objects.filter(pk=made.pk).exists()
    assert not [path for path in (tmp_path / "artifacts").rglob("*") if path.is_file()]


def test_hostile_content_is_text_on_the_page(editor: Client, project: Project) -> None:
    row = json.dumps({"prompt": "<script>alert(1)</script>", "completion": "<img src=x>", "<b>": 1})
    made = make_import(project, row.encode(), name="<i>.jsonl")

    page = editor.get(f"/p/{project.slug}/log/imports/{made.pk}/").content.decode()

    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "<i>.jsonl" not in page


def test_the_command_imports_tells_and_sums_up(project: Project, tmp_path: Path) -> None:
    path, errors, out = tmp_path / "calls.jsonl", tmp_path / "errors.csv", StringIO()
    path.write_bytes(make_rows(30) + b"{broken\n")

    call_command("import", str(path), project=project.slug, errors=errors, stdout=out)

    assert "Table of calls (JSONL)" in out.getvalue()
    assert "Added 30 calls" in out.getvalue()
    assert "1 rows failed" in out.getvalue()
    assert b"31,It is not JSON" in errors.read_bytes()
    assert RequestRow.objects.in_project(project).count() == 30


def test_the_command_can_only_look(project: Project, tmp_path: Path) -> None:
    path, out = tmp_path / "calls.jsonl", StringIO()
    path.write_bytes(make_rows(3))

    call_command("import", str(path), project=project.slug, dry_run=True, stdout=out)

    assert "prompt ← prompt" in out.getvalue()
    assert not Import.objects.filter(project=project).exists()


def test_the_command_says_what_it_cannot_read(project: Project, tmp_path: Path) -> None:
    path = tmp_path / "calls.zip"
    path.write_bytes(b"PK\x03\x04" + b"\x00" * 50)

    with pytest.raises(OperatorProblem, match="Unpack it"):
        call_command("import", str(path), project=project.slug)
    with pytest.raises(OperatorProblem, match="There is no file"):
        call_command("import", str(tmp_path / "nothing"), project=project.slug)


def test_a_time_for_rows_without_one_can_be_said(project: Project) -> None:
    done(make_import(project, b'{"prompt": "Hi?"}', undated=NOON))

    assert RequestRow.objects.in_project(project).get().started_at == NOON
