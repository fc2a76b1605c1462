"""Exports by page, by API and by command."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.management import call_command
from django.db import connection
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext

from requests_log.datasets.actions import add_examples, freeze_version
from requests_log.datasets.export.formats import FORMATS
from requests_log.datasets.models import Dataset
from tests.conftest import Cast
from tests.curate.factories import NOON, make_dataset, make_requests
from tests.exporting.rows import ODD, TOOLS, header, lines, unpacked
from workbench.core.errors import OperatorProblem


@pytest.fixture
def dataset(cast: Cast) -> Dataset:
    """Twenty examples, frozen once."""
    made = make_dataset(cast.project, rows=20)
    freeze_version(made, by=None, at=NOON, split=(70, 30))
    return made


def pages(cast: Cast, path: str = "") -> str:
    return f"/p/{cast.project.slug}/datasets/{path}"


def body(answer: Any) -> bytes:
    assert answer.status_code == 200, answer.content
    return b"".join(answer.streaming_content)


def test_the_page_explains_every_format_and_shows_the_first_row(
    alice: Client, cast: Cast, dataset: Dataset
) -> None:
    with CaptureQueriesContext(connection) as queries:
        page = alice.get(pages(cast, "answers/export/")).content.decode()

    assert all(one.label in page and one.name in page for one in FORMATS.values())
    assert "&quot;role&quot;: &quot;user&quot;" in page
    assert "Version 1 (20 rows)" in page
    assert len(queries) <= 15


def test_another_choice_changes_the_part_that_follows_from_it(
    alice: Client, cast: Cast, dataset: Dataset
) -> None:
    path = pages(cast, "answers/export/?format=csv&version=1")
    part = alice.get(path, headers={"HX-Request": "true"}).content.decode()

    assert part.lstrip().startswith('<div class="stack" id="export-choices">')
    assert "system,user,assistant" in part
    assert "export-formulas" in part


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ("format=preference", "None of the first rows fits Preference (DPO)"),
        ("format=nonsense", "format must be one of: openai"),
        ("version=99", "has no version 99"),
        ("version=٣", "has no version"),
        ("version=1&split=test", "split must be one of: train, heldout"),
        ("licence=my+own", "Write the licence as its identifier"),
        ("formulas=run", "formulas must be one of"),
    ],
)
def test_what_makes_no_sense_is_told_instead_of_a_row(
    alice: Client, cast: Cast, dataset: Dataset, told: str, sentence: str
) -> None:
    page = alice.get(pages(cast, f"answers/export/?{told}"))

    assert sentence in page.content.decode()
    assert page.status_code == 200


def test_a_version_is_downloaded_with_its_card(
    alice: Client, cast: Cast, dataset: Dataset, tmp_path: Path
) -> None:
    answer = alice.get(pages(cast, "answers/export/download/?version=1&format=trl&licence=mit"))

    assert 'filename="answers-v1.trl.zip"' in answer.headers["Content-Disposition"]
    unpacked(body(answer), tmp_path)
    assert header(tmp_path)["license"] == "mit"
    rows = lines(tmp_path / "data/train.jsonl") + lines(tmp_path / "data/heldout.jsonl")
    assert len(rows) == 20


def test_what_cannot_be_downloaded_is_a_sentence(
    alice: Client, cast: Cast, dataset: Dataset
) -> None:
    answer = alice.get(pages(cast, "answers/export/download/?version=1&format=preference"))

    assert answer.status_code == 409
    assert "without a rejected answer" in answer.content.decode()


def test_a_selection_of_the_log_is_exported(alice: Client, cast: Cast, tmp_path: Path) -> None:
    made = make_requests(cast.project, 5, tags={"route": "checkout"})
    told = {"all": "1", "q": "tag.route:checkout", "except": str(made[0].id)}

    form = alice.post(pages(cast, "export-selected/"), told).content.decode()
    one = alice.post(pages(cast, "export-selected/"), {"ids": str(made[0].id)}).content.decode()
    answer = alice.post(pages(cast, "export-selected/download/"), told | {"format": "alpaca"})

    assert "4 selected requests<" in form
    assert "1 selected request<" in one
    assert f'name="except" value="{made[0].id}"' in form
    unpacked(body(answer), tmp_path)
    asked = [row["instruction"] for row in lines(tmp_path / "data/train.jsonl")]
    assert asked == [f"Question {n}?" for n in (4, 3, 2, 1)]


def test_a_broken_query_is_told_before_the_download(alice: Client, cast: Cast) -> None:
    told = {"all": "1", "q": "nonsense:", "format": "openai"}

    answer = alice.post(pages(cast, "export-selected/download/"), told)

    assert answer.status_code == 400
    assert "The query cannot be used" in answer.content.decode()


def test_the_api_exports_draft_version_and_requests(
    api: Client, cast: Cast, dataset: Dataset
) -> None:
    make_requests(cast.project, 3)
    one_file = {"as": "file"}

    draft = body(api.get("/api/v1/datasets/answers/export", one_file))
    version = body(api.get("/api/v1/datasets/answers/versions/1/export", one_file))
    heldout = body(
        api.get("/api/v1/datasets/answers/versions/1/export", one_file | {"split": "heldout"})
    )
    requests = body(api.get("/api/v1/export/requests", one_file | {"query": "model:gpt-x"}))

    assert sorted(draft.splitlines()) == sorted(version.splitlines())
    assert 0 < len(heldout.splitlines()) < len(version.splitlines()) == 20
    assert len(requests.splitlines()) == 3


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        ("datasets/answers/export?format=x", 400, "format must be one of"),
        ("datasets/answers/versions/7/export", 404, "has no version 7"),
        ("datasets/nothing/export", 404, "no such thing"),
        ("export/requests", 400, "Say which requests"),
        ("export/requests?ids=1", 400, "UUID"),
        ("export/requests?all=true&split=heldout", 400, "split must be one of: train"),
        ("datasets/answers/export?format=preference", 409, "Choose another format"),
    ],
)
def test_bad_calls_get_one_error_document(
    api: Client, cast: Cast, dataset: Dataset, path: str, status: int, sentence: str
) -> None:
    answer = api.get(f"/api/v1/{path}")

    assert answer.status_code == status
    assert sentence in answer.json()["error"]["message"]


def test_an_export_streams_under_an_async_server_too(api_key: Any, dataset: Dataset) -> None:
    headers = {"Authorization": f"Bearer {api_key[1]}"}
    path = "/api/v1/datasets/answers/versions/1/export?format=parquet"

    async def fetch() -> bytes:
        answer: Any = await AsyncClient().get(path, headers=headers)
        return b"".join([part async for part in answer.streaming_content])

    assert async_to_sync(fetch)()[:2] == b"PK"


def test_the_command_writes_a_folder_a_zip_and_a_stream(
    cast: Cast, dataset: Dataset, tmp_path: Path
) -> None:
    add_examples(dataset, rows=[TOOLS, ODD])
    chosen: dict[str, Any] = {"project": cast.project.slug, "dataset": "answers"}
    told, raw = io.StringIO(), io.BytesIO()

    call_command("export", **chosen, out=str(tmp_path / "f"), format="alpaca", stderr=told)
    call_command("export", **chosen, out=str(tmp_path / "a.zip"), number="1", stderr=told)
    with redirect_stdout(SimpleNamespace(buffer=raw)):
        call_command("export", **chosen, out="-", number="1")

    assert "Wrote 21 rows" in told.getvalue()
    assert "Left out: 1 with tools" in told.getvalue()
    assert len(lines(tmp_path / "f/data/train.jsonl")) == 21
    assert "README.md" in unpacked((tmp_path / "a.zip").read_bytes(), tmp_path / "unpacked")
    assert len(raw.getvalue().splitlines()) == 20


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"dataset": "gone"}, "has no dataset gone"),
        ({"project": "gone", "dataset": "answers"}, "no project gone"),
        ({}, "either --dataset or --query"),
        ({"dataset": "answers", "number": "9"}, "has no version 9"),
        ({"query": "nonsense:"}, "The query cannot be used"),
    ],
)
def test_the_command_says_what_is_wrong(
    cast: Cast, dataset: Dataset, tmp_path: Path, options: dict[str, Any], sentence: str
) -> None:
    told = {"project": cast.project.slug, "out": str(tmp_path / "x")} | options

    with pytest.raises(OperatorProblem, match=sentence):
        call_command("export", **told)


def test_the_command_overwrites_nothing(cast: Cast, dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")

    with pytest.raises(OperatorProblem, match="is not empty"):
        call_command("export", project=cast.project.slug, dataset="answers", out=str(tmp_path))
