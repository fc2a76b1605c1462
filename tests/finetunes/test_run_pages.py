"""The pages of training runs, as the people of a project see them."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django.asserts import assertContains, assertNotContains
from pytest_django.fixtures import DjangoAssertNumQueries

from finetunes.models import ModelVersion, TrainingRun
from finetunes.pages.runs import STOP_POLLING
from finetunes.supervision.run_folder import folder_of
from tests.conftest import Cast
from tests.finetunes.factories import make_events, make_run, make_version, metrics

MOST_QUERIES = 15
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def base(cast: Cast) -> str:
    return f"/p/{cast.project.slug}/tunes/"


@pytest.fixture
def victor(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.victor)
    return client


def form(version: Any, **fields: Any) -> dict[str, Any]:
    """What the browser sends when the form is left as it is."""
    return {
        "dataset_version": str(version.pk),
        "base_model": "nano-base",
        "adapter": "lora",
        "epochs": "1",
        "learning_rate": "0.002",
        "batch_size": "8",
        "r": "4",
        "alpha": "8",
        "seed": "0",
        "over_length": "refuse",
        "name": "",
        "start_request_id": str(uuid4()),
        **fields,
    }


def end(run: TrainingRun, state: str, **fields: Any) -> None:
    TrainingRun.objects.filter(pk=run.pk).update(
        state=state, started_at=timezone.now(), finished_at=timezone.now(), **fields
    )


def test_an_empty_list_leads_to_the_datasets(cast: Cast, alice: Client, base: str) -> None:
    assertContains(alice.get(base), f"/p/{cast.project.slug}/datasets/")


def test_with_a_frozen_version_the_empty_list_leads_to_the_form(
    cast: Cast, alice: Client, base: str
) -> None:
    make_version(cast.project)

    assertContains(alice.get(base), f'href="{base}new/"')


def test_the_list_shows_state_versions_and_progress(cast: Cast, alice: Client, base: str) -> None:
    done, going = make_run(cast.project, name="Yesterday"), make_run(cast.project, name="Today")
    end(done, "succeeded", loss_first=4.0, loss_last=0.125)
    TrainingRun.objects.filter(pk=going.pk).update(
        state="running", phase="train", step=5, total_steps=10, started_at=timezone.now()
    )

    page = alice.get(base)

    assertContains(page, "Yesterday")
    assertContains(page, "0.125")
    assertContains(page, str(done.dataset_version))
    assertContains(page, 'value="0.5150"')


def test_the_list_costs_the_same_for_one_run_and_for_twenty(
    cast: Cast, alice: Client, base: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    version = make_version(cast.project)
    for _ in range(20):
        make_run(cast.project, dataset_version=version)

    with django_assert_max_num_queries(8):
        assertContains(alice.get(base), "data-row", count=20)


def test_the_form_needs_a_frozen_version(alice: Client, base: str) -> None:
    assertContains(alice.get(base + "new/"), "Freeze a version of a dataset first")


def test_a_run_is_started_from_the_form_and_named_after_what_it_learns(
    cast: Cast, alice: Client, base: str
) -> None:
    version = make_version(cast.project)

    answer = alice.post(base + "new/", form(version, epochs="2.5"))

    run = TrainingRun.objects.get()
    assert answer.headers["Location"] == f"{base}{run.pk}/"
    assert run.name == "Capital letter v1 on nano-base"
    assert run.hyperparameters["epochs"] == 2.5
    assert run.created_by == cast.alice


def test_a_double_click_starts_one_run(cast: Cast, alice: Client, base: str) -> None:
    sent = form(make_version(cast.project))

    first, second = (alice.post(base + "new/", sent) for _ in range(2))

    assert first.headers["Location"] == second.headers["Location"]
    assert TrainingRun.objects.count() == 1


def test_errors_stand_beside_their_fields_and_nothing_typed_is_lost(
    cast: Cast, alice: Client, base: str
) -> None:
    wrong = form(
        make_version(cast.project), base_model="gpt-42", epochs="lots", r="0", name="My <b>run</b>"
    )

    page = alice.post(base + "new/", wrong)

    assert page.status_code == 422
    assertContains(page, 'id="id_base_model_error"', status_code=422)
    assertContains(page, "Epochs must be a number from", status_code=422)
    assertContains(page, "LoRA rank must be a whole number", status_code=422)
    assertContains(page, '<details class="run-more" open>', status_code=422)
    for typed in ('value="gpt-42"', 'value="lots"', "My &lt;b&gt;run&lt;/b&gt;"):
        assertContains(page, typed, status_code=422)
    assertContains(page, wrong["start_request_id"], status_code=422)
    assert not TrainingRun.objects.exists()


def test_another_projects_version_cannot_be_chosen(cast: Cast, alice: Client, base: str) -> None:
    theirs = make_version(cast.other_project)
    make_version(cast.project)

    page = alice.post(base + "new/", form(theirs))

    assertContains(page, "This version is not in the project", status_code=422)


def test_run_again_brings_the_settings_of_the_run(cast: Cast, alice: Client, base: str) -> None:
    run = make_run(cast.project, hyperparameters={"epochs": 7}, over_length="drop", adapter="full")

    page = alice.get(f"{base}new/?from={run.pk}")

    assertContains(page, 'name="epochs" value="7"')
    assertContains(page, 'value="full" checked')
    assertContains(page, f'<option value="{run.dataset_version_id}" selected>')
    assert alice.get(f"{base}new/?from=nonsense").status_code == 400


def test_a_viewer_may_look_but_neither_launch_nor_stop_nor_register(
    cast: Cast, victor: Client, base: str
) -> None:
    run = make_run(cast.project)

    assert victor.get(base).status_code == 200
    page = victor.get(f"{base}{run.pk}/")
    assertNotContains(page, "stop-run")
    assert victor.get(base + "new/").status_code == 403
    for path in ("new/", "new/card/", f"{run.pk}/stop/", f"{run.pk}/register/"):
        victor.post(base + path, form(run.dataset_version, model="mine"))
    run.refresh_from_db()
    assert (run.state, TrainingRun.objects.count()) == ("queued", 1)


@pytest.mark.parametrize("path", ["", "new/", "{run}/", "{run}/live/"])
def test_a_stranger_finds_nothing(cast: Cast, base: str, path: str) -> None:
    run = make_run(cast.project)
    charlie = Client()
    charlie.force_login(cast.charlie)

    assert charlie.get(base + path.format(run=run.pk)).status_code == 404
    own = f"/p/{cast.other_project.slug}/tunes/"
    assert charlie.get(f"{own}{run.pk}/").status_code == 404
    assert charlie.post(f"{own}{run.pk}/stop/").status_code == 404


def test_the_page_of_a_run_shows_curve_samples_log_and_files(
    cast: Cast, alice: Client, base: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    run = make_run(cast.project)
    sample = {"step": 2, "row_id": "a", "prompt": HOSTILE, "expected": "P", "answer": "Q"}
    make_events(
        run,
        ("started", {"attempt": 1, "resumed_from_step": 0, "pid": 9}),
        metrics(1, 4.5),
        metrics(2, 3.25),
        ("sample", sample),
        ("warning", {"message": HOSTILE}),
        ("from-the-future", {"hello": 1}),
    )
    files = [{"path": "adapter.safetensors", "sha256": "ab" * 32, "bytes": 2048}]
    end(run, "succeeded", artifacts=files, rows_checked=4812, parity_mismatches=0)

    with django_assert_max_num_queries(MOST_QUERIES):
        page = alice.get(f"{base}{run.pk}/")

    assertContains(page, "3.25")
    assertContains(page, "4,812 rows checked, 0 mismatches")
    assertContains(page, "SHA-256: " + "ab" * 32)
    assertContains(page, "0 of 1 as expected")
    assertContains(page, "Attempt 1 starts from the beginning")
    assertContains(page, "&#x27;hello&#x27;: 1")
    assertNotContains(page, HOSTILE)


def test_a_failed_run_says_its_remedy_and_folds_what_the_trainer_printed(
    cast: Cast, alice: Client, base: str
) -> None:
    run = make_run(cast.project)
    end(run, "failed", error="Row 7 is too long. Leave it out.", error_code="too_long")
    folder_of(run).mkdir(parents=True)
    (folder_of(run) / "trainer.log").write_text(f"Traceback\n{HOSTILE}\n")

    page = alice.get(f"{base}{run.pk}/")

    assertContains(page, "Row 7 is too long. Leave it out.")
    assertContains(page, "Traceback")
    assertContains(page, f"{base}new/?from={run.pk}")
    assertNotContains(page, HOSTILE)


def test_the_live_part_brings_new_figures_only_when_there_is_news(
    cast: Cast, alice: Client, base: str
) -> None:
    run = make_run(cast.project)
    make_events(run, metrics(1, 4.5))
    TrainingRun.objects.filter(pk=run.pk).update(state="running", started_at=timezone.now())

    news = alice.get(f"{base}{run.pk}/live/?seq=0")
    none = alice.get(f"{base}{run.pk}/live/?seq=1")

    assertContains(news, '<script hx-swap-oob="true" id="run-loss-figure"')
    assertContains(news, "live/?seq=1")
    assertNotContains(none, "<script")
    assertContains(none, 'id="run-progress"')


def test_polling_ends_with_the_run(cast: Cast, alice: Client, base: str) -> None:
    run = make_run(cast.project)
    going = alice.get(f"{base}{run.pk}/live/")
    end(run, "succeeded")

    ended = alice.get(f"{base}{run.pk}/live/")

    assertContains(going, "pulse from:body")
    assert ended.status_code == STOP_POLLING
    assert "pulse from:body" not in ended.content.decode()
    assert "Register the model" in ended.content.decode()


def test_stop_asks_the_run_to_end(cast: Cast, alice: Client, base: str) -> None:
    run = make_run(cast.project)
    TrainingRun.objects.filter(pk=run.pk).update(state="running", started_at=timezone.now())

    alice.post(f"{base}{run.pk}/stop/")

    assertContains(alice.get(f"{base}{run.pk}/"), "Stopping…")


def test_a_bad_model_name_is_refused_beside_its_field(cast: Cast, alice: Client, base: str) -> None:
    run = make_run(cast.project)
    end(run, "succeeded")

    page = alice.post(f"{base}{run.pk}/register/", {"model": "My Model"})

    assertContains(page, "Use lower-case letters", status_code=422)
    assertContains(page, 'value="My Model"', status_code=422)
    assert not ModelVersion.objects.exists()


def test_registering_leads_to_the_page_of_the_model(cast: Cast, alice: Client, base: str) -> None:
    run = make_run(cast.project, adapter="full")
    end(run, "succeeded", artifacts_path=run.base_path)

    answer = alice.post(f"{base}{run.pk}/register/", {"model": "capital-letter"})

    assert answer.headers["Location"] == f"/p/{cast.project.slug}/models/capital-letter/"
    assertContains(alice.get(f"{base}{run.pk}/"), "capital-letter:1")


def test_a_run_that_never_took_a_step_shows_no_empty_curves(
    cast: Cast, alice: Client, base: str
) -> None:
    run = make_run(cast.project)
    end(run, "failed", error="The base model is gone. Choose another.")

    assertNotContains(alice.get(f"{base}{run.pk}/"), "data-chart")


def test_a_run_that_has_not_succeeded_is_not_registered(
    cast: Cast, alice: Client, base: str
) -> None:
    run = make_run(cast.project)

    page = alice.post(f"{base}{run.pk}/register/", {"model": "capital-letter"})

    assert page.status_code == 422
    assert not ModelVersion.objects.exists()
