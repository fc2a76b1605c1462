"""Pushing to a Hub: the real client against a local server that speaks its protocol."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from requests_log.datasets.actions import add_examples, freeze_version
from requests_log.datasets.export.hub import checked_repository
from requests_log.datasets.export.pushing import Target, push_to_hub
from requests_log.datasets.models import Dataset
from tests.conftest import Cast
from tests.curate.factories import NOON, make_dataset, make_row
from tests.exporting.hub_server import TOKEN, Hub, serving
from tests.exporting.rows import header
from workbench.core.errors import InvalidInput
from workbench.core.models import Job
from workbench.core.queue import perform
from workbench.providers.actions import save_connection
from workbench.providers.refs import known_refs

# httpx2 about how the client hands it a file.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
CONNECTION: dict[str, Any] = {
    "name": "hub",
    "kind": "hugging-face",
    "credential": TOKEN,
    "by": None,
}


@pytest.fixture
def hub(settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A Hub of this machine that the installation has a token for."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # its uploads go to other servers
    with serving() as running:
        settings.HUB_URL, settings.HUB_TOKEN = running.url, TOKEN
        settings.VAR_DIR = tmp_path
        yield running


@pytest.fixture
def dataset(cast: Cast) -> Dataset:
    made = make_dataset(cast.project, rows=40)
    freeze_version(made, by=None, at=NOON, split=(70, 30))
    return made


def pushed(dataset: Dataset, **told: Any) -> Job:
    """Ask for a push, and do it."""
    target = Target(told.pop("repository", "acme/answers"), **told.pop("target", {}))
    number = told.pop("number", "1")
    job = push_to_hub(dataset, number=number, told=told, target=target, by=None, at=NOON)
    perform(job.pk, holder="test")
    job.refresh_from_db()
    return job


def test_a_version_becomes_a_private_repository(hub: Hub, dataset: Dataset, tmp_path: Path) -> None:
    job = pushed(dataset, format="openai", licence="mit")

    assert (job.state, job.error) == ("succeeded", "")
    assert job.result["url"] == f"{hub.url}/datasets/acme/answers"
    assert job.result["rows"] == job.done == job.total == 40
    assert hub.repositories == {"acme/answers": True}
    assert hub.commits == ["Answers v1, OpenAI chat"]
    files = hub.files["acme/answers"]
    assert sorted(files) == ["README.md", "data/heldout.jsonl", "data/train.jsonl"]
    assert sum(body.count(b"\n") for path, body in files.items() if "data/" in path) == 40
    (tmp_path / "README.md").write_bytes(files["README.md"])
    assert header(tmp_path)["license"] == "mit"
    assert list((tmp_path / "exports").iterdir()) == []


def test_a_large_file_is_uploaded_apart_and_arrives_whole(hub: Hub, dataset: Dataset) -> None:
    add_examples(dataset, rows=[make_row(f"Long {n}?", "word " * 500) for n in range(50)])

    job = pushed(dataset, number="", format="openai")

    assert job.state == "succeeded"
    (stored,) = hub.stored.values()
    assert stored == hub.files["acme/answers"]["data/train.jsonl"]
    assert stored.count(b"\n") == 90


def test_pushing_again_replaces_what_an_earlier_export_left(hub: Hub, dataset: Dataset) -> None:
    pushed(dataset, format="openai", target={"is_private": False})

    pushed(dataset, format="parquet")

    names = sorted(hub.files["acme/answers"])
    assert names == ["README.md", "data/heldout.parquet", "data/train.parquet"]
    assert hub.repositories == {"acme/answers": False}


def test_a_connection_brings_its_own_token(
    hub: Hub, cast: Cast, dataset: Dataset, settings: Any
) -> None:
    settings.HUB_TOKEN = ""
    save_connection(cast.project, base_url=hub.url, **CONNECTION)

    job = pushed(dataset, target={"connection": "hub"})

    assert (job.state, job.error) == ("succeeded", "")
    assert TOKEN not in str(job.payload) + str(job.result)


@pytest.mark.parametrize(
    ("repository", "token", "sentence"),
    [
        ("acme/answers", "wrong", "refused the token for acme/answers (401)"),
        ("forbidden/answers", TOKEN, "refused the token for forbidden/answers (403)"),
    ],
)
def test_what_the_hub_refuses_is_told(
    hub: Hub, dataset: Dataset, settings: Any, repository: str, token: str, sentence: str
) -> None:
    settings.HUB_TOKEN = token

    job = pushed(dataset, repository=repository)

    assert job.state == "failed"
    assert sentence in job.error


def test_a_refused_commit_is_told(hub: Hub, dataset: Dataset) -> None:
    hub.failures = [422]

    job = pushed(dataset)

    assert job.state == "failed"
    assert "The Hub refused acme/answers (422)" in job.error


def test_what_may_pass_is_tried_again(hub: Hub, dataset: Dataset) -> None:
    hub.failures = [500]

    job = pushed(dataset)
    assert job.state == "queued"

    Job.objects.filter(pk=job.pk).update(run_after=NOON)
    perform(job.pk, holder="test")
    job.refresh_from_db()
    assert job.state == "succeeded"


@pytest.mark.parametrize(
    ("target", "token", "sentence"),
    [
        ({"repository": "a b"}, TOKEN, "owner/name"),
        ({"repository": "acme/answers", "connection": "gone"}, TOKEN, "no connection “gone”"),
        ({"repository": "acme/answers"}, "", "No token for the Hub"),
    ],
)
def test_what_cannot_be_pushed_is_told_at_once(
    hub: Hub, dataset: Dataset, settings: Any, target: Any, token: str, sentence: str
) -> None:
    settings.HUB_TOKEN = token

    with pytest.raises(InvalidInput, match=sentence):
        push_to_hub(dataset, number="1", told={}, target=Target(**target), by=None, at=NOON)


@pytest.mark.parametrize("name", ["answers", "acme/answers", "a-b/c.d_e", " acme/answers "])
def test_names_that_the_hub_takes(name: str) -> None:
    assert checked_repository(name) == name.strip()


@pytest.mark.parametrize("name", ["", "a/b/c", "../x", "a--b", "-a", "x.git", "é/x", "a/\nb"])
def test_names_that_the_hub_refuses(name: str) -> None:
    with pytest.raises(InvalidInput):
        checked_repository(name)


def test_a_connection_to_the_hub_serves_no_model(hub: Hub, cast: Cast) -> None:
    made = save_connection(
        cast.project, base_url=hub.url, model_names=["m"], is_default=True, **CONNECTION
    )

    assert not made.is_default
    assert known_refs(cast.project) == []


def test_a_connection_cannot_take_the_token_to_another_hub(hub: Hub, cast: Cast) -> None:
    with pytest.raises(InvalidInput, match="The Hub of this installation is"):
        save_connection(cast.project, base_url="https://example.com", **CONNECTION)


def test_page_and_api_push(
    hub: Hub, cast: Cast, alice: Client, api: Client, dataset: Dataset
) -> None:
    path = f"/p/{cast.project.slug}/datasets/answers/export/"
    told = {"repository": "acme/one", "version": "1", "format": "trl", "public": "1"}

    assert "The installation's" in alice.get(path).content.decode()
    by_page = alice.post(f"{path}push/", told, headers={"HX-Request": "true"})
    by_api = api.post(
        "/api/v1/datasets/answers/push",
        {"repository": "acme/two", "version": 1},
        content_type="application/json",
    )

    assert by_page.headers["HX-Redirect"] == f"/p/{cast.project.slug}/jobs/"
    assert by_api.status_code == 202
    for job in Job.objects.filter(project=cast.project):
        perform(job.pk, holder="test")
    assert hub.repositories == {"acme/one": False, "acme/two": True}
    assert "data/train.parquet" in hub.files["acme/two"]
