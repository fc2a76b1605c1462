"""Erasing a person: their calls and examples go, what learned from them is named."""

from __future__ import annotations

from uuid import UUID

import pytest
from django.db import connection
from django.test import Client

from requests_log.datasets.actions import add_examples, freeze_version, remove_examples
from requests_log.datasets.erasure.actions import erase_subject, subject_hash
from requests_log.datasets.erasure.models import Erasure
from requests_log.datasets.models import Content, Dataset, Example
from requests_log.datasets.picking import add_requests
from requests_log.models import LoggedRequest
from requests_log.selection import Selection
from tests.conftest import Cast
from tests.curate.factories import NOON, make_dataset, make_request, make_row
from tests.curate.test_log_pages import client_of, text_of
from tests.factories import make_api_key
from tests.registry.factories import make_model, make_model_version, make_run
from workbench.core.errors import InvalidInput, NotFound
from workbench.core.models import Job
from workbench.core.queue import perform


def with_two_people(cast: Cast) -> Dataset:
    """Two calls of Ann and one of Bob, all in a dataset, and an imported row."""
    dataset = make_dataset(cast.project)
    for number, user in enumerate(["ann", "ann", "bob"]):
        make_request(cast.project, question=f"Question {number}?", end_user=user)
    add_requests(dataset, selection=Selection(at=NOON), by=None, at=NOON)
    add_examples(dataset, rows=[make_row("Imported?")])
    return dataset


def test_calls_and_examples_of_one_person_go_and_the_rest_stays(cast: Cast) -> None:
    dataset = with_two_people(cast)

    erasure = erase_subject(cast.project, subject="ann", by=cast.alice, at=NOON)
    assert erasure.job is not None
    perform(erasure.job.pk, holder="test")

    erasure.refresh_from_db()
    assert erasure.counts == {"requests": 2, "spans": 0, "examples": 2}
    assert [one.end_user for one in LoggedRequest.objects.in_project(cast.project)] == ["bob"]
    assert dataset.examples.count() == Content.objects.count() == 2
    with connection.cursor() as cursor:
        for table in ("tags", "body", "digest"):
            cursor.execute(
                f"SELECT count(*) FROM requests_log_{table} WHERE project_id = %s",  # noqa: S608
                [cast.project.pk],
            )
            assert cursor.fetchone() == (1,), table


def test_the_record_names_versions_and_models_and_not_the_person(cast: Cast) -> None:
    dataset = with_two_people(cast)
    version = freeze_version(dataset, by=None, at=NOON)
    run = make_run(cast.project, dataset_version=version, name="With Ann")
    model = make_model(cast.project, name="learned", versions=0)
    make_model_version(model, 1, run=run, dataset_version=version)
    remove_examples(dataset, ids=list(dataset.examples.values_list("pk", flat=True)))

    erasure = erase_subject(cast.project, subject="ann", by=cast.alice, at=NOON)
    assert erasure.job is not None
    perform(erasure.job.pk, holder="test")

    kept = Erasure.objects.get()
    assert kept.versions == ["Answers v1"]
    assert kept.dependents == ["Training runs: With Ann", "Models: learned:1"]
    assert kept.subject_hash == subject_hash(cast.project, "ann")
    assert "ann" not in str(Job.objects.get(pk=erasure.job.pk).payload["subject"])
    assert len(list(version.rows())) == 4  # frozen: told, not changed


def test_a_user_nobody_knows_is_told(cast: Cast) -> None:
    with pytest.raises(NotFound, match="Nothing here"):
        erase_subject(cast.project, subject="nobody", by=None, at=NOON)
    with pytest.raises(InvalidInput, match="user's id"):
        erase_subject(cast.project, subject=" ", by=None, at=NOON)


def test_an_owner_looks_first_and_then_erases(alice: Client, cast: Cast) -> None:
    with_two_people(cast)
    page = f"/p/{cast.project.slug}/settings/erasure/"

    looked = text_of(alice.get(page + "?subject=ann"))
    examples = Example.objects.count()
    alice.post(page, {"subject": "ann"})
    refused = client_of(cast.bob).post(page, {"subject": "bob"})
    after = text_of(alice.get(page))
    Erasure.objects.update(counts={"requests": 2, "spans": 1})
    later = text_of(alice.get(page))

    assert "Erase for good" in looked
    assert examples == 4
    assert refused.status_code == 403
    assert f'href="/p/{cast.project.slug}/datasets/"' in text_of(refused)  # the way on
    assert "0 requests" not in after
    assert "2 requests, 1 span, 0 examples" in later
    assert subject_hash(cast.project, "ann")[:12] in after
    assert Erasure.objects.count() == 1


def test_a_program_of_an_owner_looks_first_and_then_erases(cast: Cast) -> None:
    dataset = with_two_people(cast)
    version = freeze_version(dataset, by=None, at=NOON)
    make_run(cast.project, dataset_version=version, name="With Ann")
    _, text = make_api_key(cast.project, by=cast.alice)
    program = Client(headers={"Authorization": f"Bearer {text}"})
    base, sent = "/api/v1/erasures/", {"subject": "ann"}

    reach = program.post(f"{base}reach/", sent, content_type="application/json").json()
    assert (reach["requests"], reach["examples"], reach["versions"]) == (2, 2, ["Answers v1"])
    assert [one["name"] for one in reach["dependents"]] == ["With Ann"]
    assert LoggedRequest.objects.in_project(cast.project).count() == 3

    made = program.post(base, sent, content_type="application/json")
    assert made.status_code == 202
    perform(UUID(made.json()["job"]), holder="test")

    done = program.get(f"{base}{made.json()['id']}/").json()
    assert done["counts"] == {"requests": 2, "spans": 0, "examples": 2}
    assert done["finished_at"] is not None
    assert program.get(base).json() == {"erasures": [done], "next": None}
    assert "ann" not in str(done["subject_hash"])
    assert Erasure.objects.get().created_by == cast.alice


def test_a_program_of_an_editor_erases_nobody(cast: Cast) -> None:
    with_two_people(cast)
    _, text = make_api_key(cast.project, by=cast.bob)
    program = Client(headers={"Authorization": f"Bearer {text}"})

    answer = program.post("/api/v1/erasures/", {"subject": "ann"}, content_type="application/json")

    assert answer.status_code == 403
    assert "made by an owner" in answer.json()["error"]["message"]
    assert not Erasure.objects.exists()
