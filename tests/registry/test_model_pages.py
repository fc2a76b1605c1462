"""The pages of registered models."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from evals.models import Comparison
from finetunes.actions.registry import promote, register_run
from finetunes.models import Alias, AliasMove, ModelVersion, RegisteredModel
from requests_log.datasets.actions import create_dataset, freeze_version
from requests_log.datasets.picking import add_requests
from requests_log.selection import chosen
from tests.conftest import Cast
from tests.curate.factories import MORNING, make_request
from tests.evals.factories import HOSTILE, make_cells, make_comparison
from tests.registry.factories import NOON, make_model, make_model_version, make_run
from workbench.core.models import User


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def models(cast: Cast, path: str = "") -> str:
    return f"/p/{cast.project.slug}/models/{path}"


def text_of(answer: Any) -> str:
    return str(answer.content.decode())


def test_before_the_first_model_the_page_says_how_to_get_one(alice: Client, cast: Cast) -> None:
    assert "Import a base model" in text_of(alice.get(models(cast)))

    make_run(cast.project)

    assert "Go to the fine-tunes" in text_of(alice.get(models(cast)))


def test_the_list_shows_aliases_with_their_versions(alice: Client, cast: Cast) -> None:
    model = make_model(cast.project, versions=3)
    promote(model.versions.get(number=2), alias="production", by=None, at=NOON, reason="Go")
    make_model(cast.other_project, name="secret")

    page = text_of(alice.get(models(cast)))

    assert '<span class="badge__key">production</span>2' in page
    assert '<td class="number" data-label="newest">3</td>' in page
    assert "secret" not in page


def test_the_list_needs_few_queries_whatever_its_length(alice: Client, cast: Cast) -> None:
    for number in range(12):
        model = make_model(cast.project, name=f"m{number}", versions=2)
        promote(model.versions.get(number=1), alias="production", by=None, at=NOON, reason="Go")

    with CaptureQueriesContext(connection) as queries:
        page = text_of(alice.get(models(cast)))

    assert len(queries) <= 12
    assert "m11" in page


def test_a_model_shows_versions_scores_and_history(alice: Client, cast: Cast) -> None:
    model = make_model(cast.project, versions=2)
    comparison = make_comparison(cast.project, refs=["capital-letter:2"], name="Unseen names")
    comparison.candidates.update(resolved="capital-letter:2")
    make_cells(comparison.candidates.select_related("comparison").get(), [1, 1, 1, 0, 0, 0])
    Comparison.objects.update(finished_at=NOON)
    promote(model.versions.get(number=1), alias="production", by=cast.alice, at=NOON, reason="Go")
    promote(
        model.versions.get(number=2), alias="production", by=cast.bob, at=NOON,
        comparison_id=comparison.pk,
    )  # fmt: skip

    page = text_of(alice.get(models(cast, "capital-letter/")))

    assert "50.0 %" in page
    assert "Unseen names" in page
    assert "Roll back to 1" in page
    history = page.partition('id="history"')[2]
    assert history.index("Bob") < history.index("Go")
    assert "model=&quot;capital-letter@production&quot;" in page


def test_a_model_needs_few_queries_whatever_its_history(alice: Client, cast: Cast) -> None:
    model = make_model(cast.project)
    for number in range(2, 12):
        version = make_model_version(model, number)
        for alias in ("production", "staging", f"try-{number}"):
            promote(version, alias=alias, by=cast.bob, at=NOON, reason="Go")

    with CaptureQueriesContext(connection) as queries:
        alice.get(models(cast, "capital-letter/"))

    assert len(queries) <= 15


def test_a_request_tells_which_models_learned_from_it(alice: Client, cast: Cast) -> None:
    used, unused = make_request(cast.project, at=MORNING), make_request(cast.project, at=MORNING)
    dataset = create_dataset(cast.project, name="Answers", by=None)
    only_one = chosen(at=NOON, ids=[str(used.pk)])
    add_requests(dataset, selection=only_one, by=None, at=NOON)
    version = freeze_version(dataset, by=None, at=NOON)
    make_model_version(make_model(cast.project, versions=0), 1, dataset_version=version)

    def page(request_id: object) -> str:
        return text_of(alice.get(f"/p/{cast.project.slug}/models-of-request/{request_id}/"))

    assert "capital-letter:1" in page(used.pk)
    assert "No model learned from it" in page(unused.pk)


def test_lineage_goes_down_to_the_logged_requests_and_their_prompts(
    alice: Client, cast: Cast
) -> None:
    dataset = create_dataset(cast.project, name="Triage", by=None)
    requests = [
        make_request(
            cast.project, at=MORNING + timedelta(minutes=n), question=f"Ticket {n}?",
            prompt_name="triage", prompt_version=1 + n % 2,
        )
        for n in range(4)
    ]  # fmt: skip
    chosen_ones = chosen(at=NOON, ids=[str(request.pk) for request in requests])
    add_requests(dataset, selection=chosen_ones, by=None, at=NOON)
    version = freeze_version(dataset, by=None, at=NOON)
    run = make_run(cast.project, dataset_version=version, name="First student")
    register_run(run, name="capital-letter", by=None)

    page = text_of(alice.get(models(cast, "capital-letter/")))

    assert "First student" in page
    assert version.content_hash in page
    assert "4 of its rows" in page
    assert "triage v1" in page
    assert "log/?q=prompt%3Atriage%401" in page


def test_only_finished_comparisons_are_offered_as_evidence(alice: Client, cast: Cast) -> None:
    make_model(cast.project)
    comparison = make_comparison(cast.project, refs=["capital-letter:1"])
    comparison.candidates.update(resolved="capital-letter:1")
    make_cells(comparison.candidates.select_related("comparison").get(), [1, 0])
    option = f'<option value="{comparison.pk}">'
    running = text_of(alice.get(models(cast, "capital-letter/")))

    Comparison.objects.update(finished_at=NOON)

    assert option not in running
    assert option in text_of(alice.get(models(cast, "capital-letter/")))


def test_promoting_needs_a_comparison_or_a_reason(cast: Cast) -> None:
    make_model(cast.project)
    bob = client_of(cast.bob)
    url = models(cast, "capital-letter/promote/")

    refused = bob.post(url, {"version": "1", "alias": "production"})
    done = bob.post(url, {"version": "1", "alias": "production", "reason": "It is Friday."})

    assert refused.status_code == 422
    assert "Say why, or choose a comparison as evidence." in text_of(refused)
    assert f'href="{models(cast, "capital-letter/")}?version=1"' in text_of(refused)
    assert f'hx-get="{models(cast, "capital-letter/")}?use=sdk"' in text_of(refused)
    assert done.headers["Location"] == models(cast, "capital-letter/")
    move = AliasMove.objects.get()
    assert (move.by, move.reason, move.to_version.number) == (cast.bob, "It is Friday.", 1)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"alias": "latest"}, "cannot be an alias"),
        ({"alias": "Nope!"}, "Use lower-case letters"),
        ({"version": "9"}, "Select a valid choice"),
        ({"version": "x"}, "Select a valid choice"),
        ({"comparison": "01a1fdc0-e267-7a9f-b0c6-7783b7c5fa78"}, "Select a valid choice"),
    ],
)
def test_what_cannot_be_promoted_is_said(
    alice: Client, cast: Cast, changes: dict[str, str], sentence: str
) -> None:
    make_model(cast.project)
    form = {"version": "1", "alias": "production", "reason": "Why not"} | changes

    answer = alice.post(models(cast, "capital-letter/promote/"), form)

    assert answer.status_code == 422
    assert sentence in text_of(answer)
    assert not Alias.objects.exists()


def test_rolling_back_is_one_press(alice: Client, cast: Cast) -> None:
    model = make_model(cast.project, versions=2)
    for version in model.versions.order_by("number"):
        promote(version, alias="production", by=None, at=NOON, reason="Go")

    alice.post(models(cast, "capital-letter/production/roll-back/"))

    assert Alias.objects.get().version.number == 1
    page = text_of(alice.get(models(cast, "capital-letter/")))
    assert "points at version 1 again" in page
    assert "Roll back to" not in page


def test_a_viewer_may_look_and_not_promote(cast: Cast) -> None:
    model = make_model(cast.project, versions=2)
    for version in model.versions.order_by("number"):
        promote(version, alias="production", by=None, at=NOON, reason="Go")
    victor = client_of(cast.victor)

    page = text_of(victor.get(models(cast, "capital-letter/")))
    victor.post(
        models(cast, "capital-letter/promote/"),
        {"version": "1", "alias": "production", "reason": "Mine"},
    )
    victor.post(models(cast, "capital-letter/production/roll-back/"))

    assert "Promote a version" not in page
    assert "Roll back" not in page
    assert Alias.objects.get().version.number == 2
    assert victor.get(f"/p/{cast.project.slug}/import-model/").status_code == 403


@pytest.mark.parametrize("path", ["", "capital-letter/"])
def test_a_stranger_finds_nothing(cast: Cast, path: str) -> None:
    make_model(cast.project)
    charlie = client_of(cast.charlie)

    assert charlie.get(models(cast, path)).status_code == 404
    assert charlie.get(f"/p/{cast.other_project.slug}/models/capital-letter/").status_code == 404


@pytest.mark.parametrize("path", ["a%00b/", "A/", "capital-letter/a%00b/roll-back/", "%0A/"])
def test_an_address_that_names_no_model_is_not_found(alice: Client, cast: Cast, path: str) -> None:
    make_model(cast.project)

    assert alice.get(models(cast, path)).status_code == 404
    assert alice.post(models(cast, path)).status_code == 404


def test_a_base_model_is_imported_once(alice: Client, cast: Cast) -> None:
    url = f"/p/{cast.project.slug}/import-model/"
    form = {"base_model": "nano-base", "name": "nano-base", "note": "To compare with"}

    for _ in range(2):
        answer = alice.post(url, form)
        assert answer.headers["Location"] == models(cast, "nano-base/")

    assert ModelVersion.objects.get().note == "To compare with"
    assert "nano-base:1" in text_of(alice.get(models(cast, "nano-base/")))


@pytest.mark.parametrize(
    ("base", "name", "sentence"),
    [
        ("/etc", "x", "outside the folders"),
        ("gpt-9", "x", "There is no base model called"),
        ("nano-base", "Big Name", "Use lower-case letters"),
    ],
)
def test_what_cannot_be_imported_is_said(
    alice: Client, cast: Cast, base: str, name: str, sentence: str
) -> None:
    answer = alice.post(f"/p/{cast.project.slug}/import-model/", {"base_model": base, "name": name})

    assert answer.status_code == 422
    assert sentence in text_of(answer)
    assert not RegisteredModel.objects.exists()


@pytest.mark.parametrize(
    ("use", "text"), [("sdk", "resolve_model"), ("curl", "Authorization: Bearer"), ("x", "OpenAI(")]
)
def test_the_snippets_are_tabs(alice: Client, cast: Cast, use: str, text: str) -> None:
    make_model(cast.project)

    assert text in text_of(alice.get(models(cast, f"capital-letter/?use={use}")))


def test_hostile_reasons_and_notes_are_shown_as_text(alice: Client, cast: Cast) -> None:
    model = make_model(cast.project)
    model.versions.update(note=HOSTILE, base_model=HOSTILE)
    promote(model.versions.get(), alias="production", by=None, at=NOON, reason=HOSTILE)

    page = text_of(alice.get(models(cast, "capital-letter/")))

    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page
