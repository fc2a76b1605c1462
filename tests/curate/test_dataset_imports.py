"""Files on their way into a dataset: sent, looked at, changed, started, followed."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pyarrow import parquet

import requests_log.datasets.tasks  # noqa: F401 - says how an import is done
from requests_log.datasets.actions import add_examples, freeze_version
from requests_log.datasets.canonical import read_row
from requests_log.datasets.export.formats import FORMATS as EXPORTED
from requests_log.datasets.export.shapes import Unfit, shaped
from requests_log.datasets.imports import actions
from requests_log.datasets.imports.models import DatasetImport
from requests_log.datasets.imports.recognising import read_record, recognise
from requests_log.datasets.models import Dataset, Example, WithoutAnswers
from requests_log.importers import containers
from requests_log.importers.keeping import ImportBusy
from requests_log.importers.records import Problem, Record
from requests_log.importers.run import MOST_PROBLEMS
from tests.conftest import Cast
from tests.curate.factories import NOON, make_dataset
from tests.curate.test_log_pages import text_of
from workbench.core.bodylimit import MOST_BYTES_OF_FILE, limit_of
from workbench.core.errors import InvalidInput
from workbench.core.models import Job
from workbench.core.queue import perform

PAIRS = b"".join(
    b'{"prompt": "Question %d?", "completion": "Answer %d"}\n' % (n, n) for n in range(3)
)


@pytest.fixture(autouse=True)
def _files_apart(tmp_path: Any, settings: Any) -> None:
    settings.ARTIFACTS_URL = str(tmp_path / "artifacts")


@pytest.fixture
def dataset(cast: Cast) -> Dataset:
    return make_dataset(cast.project)


def make_import(
    dataset: Dataset, content: bytes, name: str = "rows.jsonl", **choices: Any
) -> DatasetImport:
    return actions.upload(
        dataset, chunks=[content], name=name, by=None, at=NOON, choices=actions.Choices(**choices)
    )


def done(found: DatasetImport) -> DatasetImport:
    """Start it, do it, and read what became of it."""
    started = actions.start_import(found, by=None)
    assert started.job is not None
    perform(started.job.pk, holder="test")
    return DatasetImport.objects.select_related("job", "preparing").get(pk=found.pk)


def answers(dataset: Dataset) -> list[str]:
    return list(
        Example.objects.in_dataset(dataset).order_by("pk").values_list("content__answer", flat=True)
    )


def test_rows_become_examples_that_know_their_line(dataset: Dataset) -> None:
    found = done(make_import(dataset, PAIRS, provenance="teacher"))

    assert (found.state, found.added, found.rejected) == ("succeeded", 3, 0)
    assert answers(dataset) == ["Answer 0", "Answer 1", "Answer 2"]
    last = Example.objects.in_dataset(dataset).newest_first()[0]
    assert (last.provenance, last.source_id, last.line) == ("teacher", found.pk, 3)


def test_bad_rows_are_listed_with_their_line_while_good_ones_load(dataset: Dataset) -> None:
    content = PAIRS + b'{"prompt": "no answer"}\nnot json\n["a"]\n' + PAIRS.replace(b"n ", b"n 1")

    found = done(make_import(dataset, content))

    told = {one.line: one.sentence for one in found.problems.all()}
    assert (found.added, found.rejected, found.duplicates) == (6, 3, 0)
    assert "both a prompt and a completion" in told[4]
    assert set(told) == {4, 5, 6}


def test_importing_again_adds_nothing(dataset: Dataset) -> None:
    done(make_import(dataset, PAIRS))

    found = done(make_import(dataset, PAIRS + PAIRS))

    assert (found.added, found.duplicates) == (0, 6)


def test_an_import_goes_on_behind_the_last_commit(dataset: Dataset) -> None:
    made = make_import(dataset, PAIRS)
    DatasetImport.objects.filter(pk=made.pk).update(position=2, added=2, total=3)

    found = done(made)

    assert answers(dataset) == ["Answer 2"]
    assert (found.added, found.position) == (3, 3)


def test_a_file_that_breaks_off_keeps_what_came_before(dataset: Dataset) -> None:
    content = gzip.compress(b"".join(PAIRS.replace(b"n ", b"n %d" % n) for n in range(9_000)))

    found = done(make_import(dataset, content[:-20_000], "rows.jsonl.gz"))

    assert found.state == "failed"
    assert "could not be read to its end" in found.broke_off
    assert 0 < found.added < 27_000
    assert found.added == Example.objects.in_dataset(dataset).count()


@pytest.mark.parametrize("kind", ["csv", "parquet", "json"])
def test_tables_are_read_like_lines(dataset: Dataset, kind: str) -> None:
    rows = [{"prompt": "=1+1", "completion": "2"}, {"prompt": "a\nb", "completion": "c"}]

    found = done(make_import(dataset, table_of(kind, rows), f"rows.{kind}"))

    assert (found.added, found.rejected) == (2, 0)
    assert set(answers(dataset)) == {"2", "c"}


def table_of(kind: str, rows: list[dict[str, str]]) -> bytes:
    if kind == "json":
        return json.dumps(rows, indent=1).encode()
    if kind == "parquet":
        written = io.BytesIO()
        parquet.write_table(pa.Table.from_pylist(rows), written)
        return written.getvalue()
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def test_another_format_can_be_chosen_before_it_starts(dataset: Dataset) -> None:
    made = make_import(dataset, PAIRS)

    mapping = {"user": "{prompt} Be brief.", "assistant": "{completion}"}
    actions.change_import(made, choices=actions.Choices("columns", mapping, "human"))
    found = done(made)

    example = Example.objects.in_dataset(dataset).order_by("pk").select_related("content")[0]
    assert example.content.question == "Question 0? Be brief."
    assert example.provenance == "human"
    with pytest.raises(ImportBusy):
        actions.change_import(found, choices=actions.Choices("chat"))


@pytest.mark.parametrize(
    ("choices", "sentence"),
    [
        ({"format": "excel"}, "format must be one of"),
        ({"provenance": "magic"}, "provenance must be one of"),
        ({"mapping": {"moon": "x"}}, "“moon” is no role"),
        ({"format": "columns", "mapping": {"user": "a\0b"}}, "no NUL"),
    ],
)
def test_choices_that_make_no_sense_are_told(
    dataset: Dataset, choices: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        make_import(dataset, PAIRS, **choices)
    assert not DatasetImport.objects.in_dataset(dataset).exists()


def test_discarding_removes_the_file_and_keeps_the_examples(
    dataset: Dataset, tmp_path: Any
) -> None:
    made = done(make_import(dataset, PAIRS))
    draft = make_import(dataset, PAIRS)

    for one in (made, draft):
        actions.discard_import(one, at=NOON)

    assert len(answers(dataset)) == 3
    assert not [path for path in (tmp_path / "artifacts").rglob("*") if path.is_file()]
    assert Example.objects.in_dataset(dataset).filter(source=None).count() == 3


def test_at_most_so_many_problems_are_kept(dataset: Dataset) -> None:
    content = PAIRS + b"".join(b"bad %d\n" % n for n in range(MOST_PROBLEMS + 5))

    found = done(make_import(dataset, content))

    assert (found.added, found.rejected) == (3, MOST_PROBLEMS + 5)
    assert found.problems.count() == MOST_PROBLEMS


def test_rows_without_answers_cannot_be_trained_or_compared_on(dataset: Dataset) -> None:
    done(make_import(dataset, PAIRS))
    done(make_import(dataset, b'{"text": "Parcels travel at night."}\n'))
    version = freeze_version(dataset, by=None, at=NOON)

    with pytest.raises(WithoutAnswers, match="rows without an answer"):
        version.require_answers()


def test_reading_a_long_file_needs_the_memory_of_a_short_one(tmp_path: Path) -> None:
    def peak_of(many: int) -> int:
        path = tmp_path / "rows.jsonl"
        with path.open("wb") as file:
            for number in range(many):
                file.write(b'{"prompt": "%d?", "completion": "%s"}\n' % (number, b"word " * 20))
        tracemalloc.start()
        found = recognise(path, path.name)
        for (record,) in containers.groups(path, found.container):
            assert isinstance(record, Record)
            assert not isinstance(read_record(found.format, found.mapping, record), Problem)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    short = peak_of(10_000)

    assert peak_of(50_000) < short + (1 << 20)  # 6 MiB more in the file


# The API


def send(api: Client, content: bytes, **query: str) -> Any:
    return api.post(
        "/api/v1/datasets/answers/imports",
        content,
        content_type="application/octet-stream",
        query_params=query,
    )


def test_a_program_sends_a_file_and_follows_it(api: Client, dataset: Dataset) -> None:
    answer = send(api, PAIRS + b"{}\n", name="rows.jsonl", provenance="teacher")

    sent = answer.json()
    assert answer.status_code == 201, sent
    assert sent["imported"]["state"] == "queued"
    assert sent["preview"]["format"] == "prompt_completion"
    assert sent["preview"]["rows"][0]["turns"][1] == {"role": "assistant", "content": "Answer 0"}
    address = f"/api/v1/datasets/answers/imports/{sent['imported']['id']}"
    perform(Job.objects.get(project=dataset.project).pk, holder="test")
    assert api.get(address).json()["imported"]["added"] == 3
    assert [one["line"] for one in api.get(f"{address}/problems").json()["problems"]] == [4]
    assert len(api.get("/api/v1/datasets/answers/imports").json()["imports"]) == 1
    read = api.get("/api/v1/datasets/answers/examples").json()["examples"][0]
    assert (read["provenance"], read["line"]) == ("teacher", 3)


def test_a_program_looks_changes_starts_and_discards(api: Client, dataset: Dataset) -> None:
    sent = send(api, b"a,b\n1,2\n", name="t.csv", preview="yes").json()["imported"]
    address = f"/api/v1/datasets/answers/imports/{sent['id']}"

    changed = api.patch(
        address,
        json.dumps({"format": "columns", "mapping": {"user": "{b}", "assistant": "{a}"}}),
        content_type="application/json",
    ).json()
    started = api.post(f"{address}/start")

    assert (sent["state"], sent["format"]) == ("draft", "columns")
    assert changed["preview"]["rows"][0]["turns"][0]["content"] == "2"
    assert started.json()["state"] == "queued"
    other = send(api, PAIRS, name="t.jsonl", preview="yes").json()["imported"]
    assert api.delete(f"/api/v1/datasets/answers/imports/{other['id']}").status_code == 204


def test_a_form_with_a_column_for_a_role_is_taken(api: Client, dataset: Dataset) -> None:
    answer = api.post(
        "/api/v1/datasets/answers/imports/",
        {"file": SimpleUploadedFile("t.csv", b"prompt,bad,good\nHi,Go,Hello\n")},
        query_params={"map.completion": "good", "format": "prompt_completion", "preview": "1"},
    )

    assert answer.json()["preview"]["rows"][0]["turns"][1]["content"] == "Hello"


def test_rows_of_all_kinds_are_added_by_api(api: Client, dataset: Dataset) -> None:
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    pair = {"messages": turns, "rejected": {"role": "assistant", "content": "Go away"}}
    rows = [pair, {"text": "A piece", "title": "Book"}, {"inputs": {"city": "Bern"}}]

    added = api.post(
        "/api/v1/datasets/answers/examples", {"rows": rows}, content_type="application/json"
    ).json()

    read = api.get("/api/v1/datasets/answers/examples").json()["examples"]
    assert added["added"] == 3
    assert read[0]["inputs"] == {"city": "Bern"}
    assert (read[1]["text"], read[1]["title"]) == ("A piece", "Book")
    assert read[2]["rejected"]["content"] == "Go away"


def test_uploads_may_be_as_large_as_files() -> None:
    for path in ("/api/v1/datasets/x/imports", "/p/x/datasets/y/imports/"):
        assert limit_of(path) == MOST_BYTES_OF_FILE


# The pages


def test_a_file_is_imported_by_page(alice: Client, cast: Cast, dataset: Dataset) -> None:
    base = f"/p/{cast.project.slug}/datasets/answers/imports/"
    content = PAIRS + b'{"prompt": "<script>"}\n'

    sent = alice.post(base, {"file": SimpleUploadedFile("<b>.jsonl", content), "format": ""})
    address = sent.headers["Location"]
    draft = text_of(alice.get(address))
    alice.post(f"{address}start/")
    perform(Job.objects.get(project=cast.project).pk, holder="test")
    after = text_of(alice.get(address))

    assert "Prompt and completion" in draft
    assert "Answer 0" in draft
    assert "<b>.jsonl" not in draft
    assert "These rows would fail" in draft
    assert "Rows that failed" in after
    assert "both a prompt and a completion" in after
    assert alice.get(f"{address}problems/").content.startswith(b"line,problem\r\n4,")
    assert "&lt;b&gt;.jsonl" in text_of(alice.get(base))


def test_a_template_is_told_by_page(alice: Client, cast: Cast, dataset: Dataset) -> None:
    made = make_import(dataset, b"place,letter\nBern,B\n", "t.csv")
    address = f"/p/{cast.project.slug}/datasets/answers/imports/{made.pk}/"
    told = {"format": "columns", "map.user": "Capital of {place}?", "map.assistant": "{letter}"}

    alice.post(f"{address}change/", told)
    page = text_of(alice.get(address))
    bad = alice.post(f"{address}change/", told | {"map.user": "{plce}"}, follow=True)

    assert "Capital of Bern?" in page
    assert "is no column" in text_of(bad)


def test_columns_changed_on_the_page_count_when_the_rows_are_added_at_once(
    alice: Client, dataset: Dataset
) -> None:
    content = b"question,other question,answer\nWho?,Where?,Bern\n"
    found = make_import(dataset, content, "rows.csv", format="prompt_completion")
    form = {
        "format": "prompt_completion",
        "map.prompt": "other question",
        "map.completion": "answer",
        "provenance": "human",
    }
    home = f"/p/{dataset.project.slug}/datasets/{dataset.slug}/imports/{found.pk}/"

    alice.post(f"{home}start/", form)
    found = DatasetImport.objects.select_related("job").get(pk=found.pk)
    assert found.job is not None
    perform(found.job.pk, holder="test")

    example = dataset.examples.select_related("content").get()
    assert (example.content.question, example.provenance) == ("Where?", "human")


def test_an_import_of_another_project_is_not_there(alice: Client, cast: Cast) -> None:
    foreign = make_import(make_dataset(cast.other_project), PAIRS)
    own = make_dataset(cast.project)

    for path in ("", "problems/"):
        answer = alice.get(
            f"/p/{cast.project.slug}/datasets/{own.slug}/imports/{foreign.pk}/{path}"
        )
        assert answer.status_code == 404


# Round trips


def test_what_is_exported_is_imported_with_the_same_hash(cast: Cast) -> None:
    turns = [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "w", "arguments": "{\"a\":1}"}}]},
        {"role": "tool", "tool_call_id": "c1", "content": "rain"},
        {"role": "assistant", "content": "It rains."},
    ]  # fmt: skip
    tools = [{"type": "function", "function": {"name": "w", "parameters": {"type": "object"}}}]
    single = {"messages": [turns[0], {"role": "assistant", "content": "=1+1"}]}
    rejected = {"role": "assistant", "content": "No idea."}
    holds: dict[str, list[dict[str, Any]]] = {
        "openai": [{"messages": turns, "tools": tools}, single],
        "trl": [{"messages": turns, "tools": tools}, single],
        "preference": [single | {"rejected": rejected}],
        "openai-preference": [single | {"rejected": rejected}],
        "sharegpt": [single],
        "alpaca": [single],
        "completion": [single],
        "csv": [{"messages": turns, "tools": tools}, single],
        "parquet": [{"messages": turns, "tools": tools}, single | {"rejected": rejected}],
    }
    assert set(holds) == set(EXPORTED)

    for name, rows in holds.items():
        before = make_dataset(cast.project, name=f"{name} before")
        after = make_dataset(cast.project, name=f"{name} after")
        bodies = [read_row(row) for row in rows]
        add_examples(before, rows=rows)
        written = exported(before, name)
        done(make_import(after, written, f"rows.{EXPORTED[name].extension}"))
        kept = Example.objects.in_dataset(after).values_list("content__sha256", flat=True)
        assert {bytes(one) for one in kept} == {body.sha256 for body in bodies}, name


def exported(dataset: Dataset, name: str) -> bytes:
    one, file = EXPORTED[name], io.BytesIO()
    writer = one.writer(file)
    for example in Example.objects.in_dataset(dataset).select_related("content"):
        writer.write(shaped(one.shape, example.content.body), 100)
    writer.close()
    return file.getvalue()


def test_rows_without_an_answer_are_left_out_of_exports() -> None:
    for one in EXPORTED.values():
        with pytest.raises(Unfit, match="without an answer"):
            shaped(one.shape, {"text": "A piece"})
