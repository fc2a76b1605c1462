"""Datasets of the Hugging Face Hub: loaded by the Hub's own libraries from a server like it."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from django.test import Client
from pyarrow import parquet

from requests_log.datasets.imports import actions
from requests_log.datasets.imports.models import DatasetImport
from requests_log.datasets.imports.programs.bounds import Refused
from requests_log.datasets.imports.programs.hub import refuse_outside
from requests_log.datasets.models import Dataset, Example
from tests.conftest import Cast
from tests.curate.factories import NOON, make_dataset
from tests.curate.test_log_pages import text_of
from tests.factories import make_member, make_user
from tests.loading.conftest import Done
from tests.loading.hub_server import PRIVATE, SHA, Hub, serving
from workbench.core.errors import InvalidInput
from workbench.core.models import Role

pytestmark = pytest.mark.slow

ROWS = [{"question": f"Question {n}?", "answer": f"Answer {n}"} for n in range(30)]


@pytest.fixture
def hub(settings: Any) -> Iterator[Hub]:
    with serving() as running:
        settings.HUB_URL, settings.HUB_TOKEN = running.url, ""
        running.files["acme/letters"] = {
            "README.md": card({"configs": [
                {"config_name": "main", "data_files": [
                    {"split": "train", "path": "main/train-*"},
                    {"split": "test", "path": "main/test-*"}]},
                {"config_name": "other", "data_files": "other/*"},
            ]}),
            "main/train-0.parquet": table(ROWS),
            "main/test-0.parquet": table(ROWS[:3]),
            "other/data.parquet": table(ROWS[:4]),
        }  # fmt: skip
        yield running


def card(told: dict[str, Any]) -> bytes:
    """A repository's card; its head is YAML, of which JSON is a part."""
    return f"---\n{json.dumps(told)}\n---\n".encode()


def table(rows: list[dict[str, Any]]) -> bytes:
    written = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(rows), written)
    return written.getvalue()


def asked(dataset: Dataset, repository: str, **options: Any) -> DatasetImport:
    return actions.load_hub(dataset, repository=repository, by=None, at=NOON, **options)


def test_config_and_split_are_found_and_rows_shown(
    hub: Hub, dataset: Dataset, loaded: Done, taken_in: Done
) -> None:
    found = loaded(asked(dataset, "acme/letters"))

    assert found.state == "draft", found.error
    assert found.found["configs"] == ["main", "other"]
    assert (found.found["config"], found.found["split"]) == ("main", "train")
    assert found.found["splits"] == ["train", "test"]
    assert (found.found["rows"], found.found["columns"]) == (30, ["question", "answer"])
    assert (found.found["revision"], found.format) == (SHA, "prompt_completion")
    assert taken_in(found).added == 30
    assert Example.objects.in_dataset(dataset).filter(source=found).count() == 30


def test_another_config_and_fewer_rows_can_be_chosen(
    hub: Hub, dataset: Dataset, loaded: Done
) -> None:
    few = loaded(asked(dataset, "acme/letters", split="train", rows=5))
    other = loaded(actions.load(few, by=None, config="other", split=""))
    missing = loaded(actions.load(other, by=None, config="third"))

    assert (few.found["rows"], few.found["is_cut"]) == (5, True)
    assert (other.found["config"], other.found["rows"]) == ("other", 4), other.error
    assert "no config “third”. There are: main, other." in missing.error


def test_a_private_dataset_needs_the_token(
    hub: Hub, dataset: Dataset, loaded: Done, settings: Any
) -> None:
    hub.private.add("acme/letters")

    refused = loaded(asked(dataset, "acme/letters"))
    settings.HUB_TOKEN = PRIVATE
    found = loaded(asked(dataset, "acme/letters"))

    assert "knows no dataset “acme/letters”" in refused.error
    assert found.found["rows"] == 30
    assert PRIVATE not in json.dumps([found.options, found.found])


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../../etc/passwd", "http://127.0.0.1:1/x.csv", "file:///etc/passwd",
             "zip://a::http://127.0.0.1:1/x.zip", "a/../../b", "~/x", "hf://datasets/a/b/c"],
)  # fmt: skip
def test_paths_outside_of_a_repository_are_refused(path: str) -> None:
    shapes: list[Any] = [path, [path], [{"split": "train", "path": ["ok/*", path]}]]

    for shape in shapes:
        with pytest.raises(Refused, match="outside of it"):
            refuse_outside({"configs": [{"data_files": shape}]})
    refuse_outside({"configs": [{"data_files": ["data/train-*", "a.b/*.json.gz"]}]})


def test_a_card_that_points_elsewhere_is_refused(hub: Hub, dataset: Dataset, loaded: Done) -> None:
    elsewhere = [{"config_name": "default", "data_files": "/etc/passwd"}]
    hub.files["acme/trap"] = {
        "README.md": card({"configs": elsewhere}),
        "data.csv": b"a,b\n1,2\n",
    }

    found = loaded(asked(dataset, "acme/trap"))

    assert found.state == "failed"
    assert "outside of it" in found.error
    assert not any("data.csv" in one for one in hub.asked)


def test_a_repository_of_scripts_or_pictures_is_told(
    hub: Hub, dataset: Dataset, loaded: Done
) -> None:
    hub.files["acme/script"] = {"script.py": b"import os; os.abort()", "README.md": card({})}
    hub.files["acme/bytes"] = {"data.parquet": table([{"text": "seen", "raw": b"\x00\x01"}])}

    script = loaded(asked(dataset, "acme/script"))
    binary = loaded(asked(dataset, "acme/bytes"))

    assert script.state == "failed"
    assert "annot be loaded" in script.error or "annot be read" in script.error
    assert binary.found["left_out"] == ["raw"]
    assert binary.found["columns"] == ["text"]


@pytest.mark.parametrize(
    ("repository", "options", "sentence"),
    [
        ("../etc", {}, "owner/name"),
        ("acme/letters", {"rows": 10_000_000}, "1 to 1,000,000 rows"),
        ("acme/letters", {"config": "a\x00b"}, "config must be a name"),
        ("acme/letters", {"connection": "none"}, "no connection “none”"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(
    cast: Cast, repository: str, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        asked(make_dataset(cast.project), repository, **options)


def test_a_dataset_is_loaded_by_page(
    hub: Hub, dataset: Dataset, loaded: Done, client: Client
) -> None:
    user = make_user(name="Alice")
    make_member(dataset.project, user, Role.EDITOR)
    client.force_login(user)
    base = f"/p/{dataset.project.slug}/datasets/answers/imports/"

    sent = client.post(f"{base}hub/", {"repository": "acme/letters", "rows": "20"})
    address = sent.headers["Location"]
    loaded(DatasetImport.objects.select_related("preparing").get())
    page = text_of(client.get(address))
    client.post(f"{address}load/", {"config": "other", "split": "train"})
    again = DatasetImport.objects.get()
    form = text_of(client.get(base))
    user.delete()

    assert "acme/letters: 20 rows, 2 columns (question, answer)." in page
    assert "Answer 0" in page
    assert (again.options["config"], again.options["split"]) == ("other", "")
    assert "From the Hugging Face Hub" in form


def test_a_program_asks_for_a_dataset(api: Client, cast: Cast) -> None:
    make_dataset(cast.project)

    made = api.post(
        "/api/v1/datasets/answers/imports/hub",
        {"repository": "acme/letters", "split": "test", "rows": 7},
        content_type="application/json",
    )

    assert made.status_code == 201, made.content
    assert made.json()["state"] == "preparing"
    assert made.json()["options"]["rows"] == 7
