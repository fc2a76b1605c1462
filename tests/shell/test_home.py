"""The home page: numbers of the loop, what runs, what was promoted."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from finetunes.actions.registry import promote
from finetunes.models import TrainingRun
from requests_log.datasets.actions import add_examples, create_dataset, freeze_version
from requests_log.models import Digest
from tests.conftest import Cast
from tests.curate.factories import NOON, make_request, make_row
from tests.evals.factories import HOSTILE
from tests.registry.factories import make_model, make_run
from workbench.shell import overview as home
from workbench.shell.overview import overview


def text_of(answer: Any) -> str:
    return str(answer.content.decode())


def test_before_the_first_request_the_page_shows_how_to_send_it(alice: Client, cast: Cast) -> None:
    page = text_of(alice.get(f"/p/{cast.project.slug}/"))

    assert "Waiting for your first request" in page
    assert "stillhouse.wrap(OpenAI())" in page
    assert "Make an API key" in page


def test_the_snippet_is_gone_once_a_request_came(alice: Client, cast: Cast) -> None:
    make_request(cast.project, at=timezone.now())

    page = text_of(alice.get(f"/p/{cast.project.slug}/"))

    assert "Waiting for your first request" not in page
    assert "Running now" in page


def test_an_old_project_without_traffic_this_week_is_not_new(cast: Cast) -> None:
    make_request(cast.project, at=NOON - timedelta(days=20))

    found = overview(cast.project, at=NOON)

    assert found.has_requests
    assert found.logged_week == 0


def test_the_week_is_counted_with_its_errors_and_cost(cast: Cast) -> None:
    for days in (1, 2, 6, 8):
        at = NOON - timedelta(days=days)
        request = make_request(cast.project, at=at, status="error" if days == 2 else "ok")
        Digest.objects.filter(id=request.pk).update(cost=Decimal("0.25"))
    make_request(cast.other_project, at=NOON - timedelta(days=1))

    traffic = overview(cast.project, at=NOON).traffic

    assert (traffic.count, traffic.failed, traffic.is_capped) == (3, 1, False)
    assert traffic.cost == Decimal("0.75")
    assert [place for place, n in enumerate(traffic.calls) if n] == [4, 20, 24]
    assert traffic.errors[20] == 1


def test_beyond_the_cap_the_newest_requests_stand_for_the_week(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(home, "COUNT_CAP", 3)
    for hours in range(6):
        make_request(cast.project, at=NOON - timedelta(hours=hours))

    traffic = overview(cast.project, at=NOON).traffic

    assert (traffic.count, traffic.is_capped) == (3, True)
    assert traffic.since == NOON - timedelta(hours=2)
    assert sum(traffic.calls) == 3


def test_examples_wait_until_a_version_holds_them(cast: Cast) -> None:
    dataset = create_dataset(cast.project, name="Answers", by=None)
    add_examples(dataset, rows=[make_row("One?"), make_row("Two?")])
    assert overview(cast.project, at=NOON).waiting == 2

    freeze_version(dataset, by=None, at=timezone.now() + timedelta(milliseconds=5))

    found = overview(cast.project, at=NOON)
    assert (found.examples, found.waiting) == (2, 0)


def test_examples_added_after_a_version_wait_for_the_next(cast: Cast) -> None:
    dataset = create_dataset(cast.project, name="Answers", by=None)
    add_examples(dataset, rows=[make_row("One?")])
    freeze_version(dataset, by=None, at=timezone.now() - timedelta(seconds=5))

    assert overview(cast.project, at=NOON).waiting == 1


def test_models_in_production_are_counted_and_moves_listed(cast: Cast) -> None:
    model = make_model(cast.project, versions=2)
    for number in (1, 2):
        promote(
            model.versions.get(number=number), alias="production", by=cast.bob, at=NOON, reason="Go"
        )
    promote(model.versions.get(number=2), alias="staging", by=None, at=NOON, reason="Go")
    other = make_model(cast.other_project, name="theirs").versions.get()
    promote(other, alias="production", by=None, at=NOON, reason="Go")

    found = overview(cast.project, at=NOON)

    assert found.in_production == 1
    assert [(p.model, p.version, p.alias, p.by) for p in found.promotions] == [
        ("capital-letter", 2, "staging", "the API"),
        ("capital-letter", 2, "production", str(cast.bob)),
        ("capital-letter", 1, "production", str(cast.bob)),
    ]


def test_training_runs_show_how_far_they_are(alice: Client, cast: Cast) -> None:
    make_request(cast.project, at=timezone.now())
    make_run(cast.project)
    state = TrainingRun.State.RUNNING
    make_run(
        cast.project, name="Longer", state=state, finished_at=None, phase="train", step=40,
        total_steps=120,
    )  # fmt: skip

    found = overview(cast.project, at=NOON)
    page = text_of(alice.get(f"/p/{cast.project.slug}/"))

    assert found.training == 1
    assert [run.title for run in found.runs] == ["Longer"]
    assert 0.3 < (found.runs[0].share or 0) < 0.4
    assert "step 40 of 120" in page
    assert found.runs[0].url in page


def test_home_needs_few_queries_whatever_there_is(alice: Client, cast: Cast) -> None:
    for number in range(8):
        make_request(cast.project, at=timezone.now() - timedelta(hours=number))
        create_dataset(cast.project, name=f"Set {number}", by=None)
        promote(
            make_model(cast.project, name=f"m{number}").versions.get(),
            alias="production", by=cast.alice, at=NOON, reason="Go",
        )  # fmt: skip

    with CaptureQueriesContext(connection) as queries:
        alice.get(f"/p/{cast.project.slug}/")

    assert len(queries) <= 15


def test_hostile_names_are_shown_as_text(alice: Client, cast: Cast) -> None:
    make_request(cast.project, at=timezone.now())
    make_run(cast.project, name=HOSTILE, state=TrainingRun.State.QUEUED, finished_at=None)

    page = text_of(alice.get(f"/p/{cast.project.slug}/"))

    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
