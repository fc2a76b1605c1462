"""Starting points through pages, the API and the command line."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from evals.pipelines.models import Pipeline
from prompts.models import Prompt
from requests_log.datasets.models import Dataset
from tests.conftest import Cast
from tests.evals.factories import NOON
from workbench.core.errors import OperatorProblem
from workbench.core.models import Project
from workbench.providers.actions import save_connection
from workbench.shell.starting.actions import add_to
from workbench.shell.starting.library import all_points, point_named
from workbench.shell.starting.models import Start


def text_of(answer: Any) -> str:
    return str(answer.content.decode())


def test_the_first_page_of_a_project_offers_them(alice: Client, cast: Cast) -> None:
    page = text_of(alice.get(f"/p/{cast.project.slug}/"))

    for point in all_points():
        assert f'href="/p/support/start/{point.name}/"' in page


def test_a_point_shows_what_it_makes_before_anything_is_made(alice: Client) -> None:
    page = text_of(alice.get("/p/support/start/extraction/"))

    assert "my order A-10423 arrived today" in page
    assert "You read messages to a shop" in page
    assert "Add to this project" in page
    assert "$teacher" not in page
    assert not Start.objects.exists()


def test_it_is_put_into_the_project_and_leads_on(alice: Client, cast: Cast) -> None:
    save_connection(cast.project, name="local", base_url="http://127.0.0.1:9/v1", by=None,
                    allow_private_network=True, model_names=["big"])  # fmt: skip

    answer = alice.post("/p/support/start/routing/add/", {"teacher": "local/big"}, follow=True)

    page = text_of(answer)
    pipeline = Pipeline.objects.in_project(cast.project).get()
    assert "“Classification and routing” is in this project" in page
    assert f"/p/support/evals/pipelines/{pipeline.pk}/" in page
    assert "/p/support/prompts/at/route/inbox/" in page
    steps = pipeline.definition.steps
    assert (steps[0]["settings"]["model"], steps[0]["settings"]["prompt"]) == (
        "local/big", "route/inbox",
    )  # fmt: skip
    edit = f"/p/support/evals/pipelines/{pipeline.pk}/edit/?version="
    assert edit in page
    start = Start.objects.get()
    form = text_of(alice.get(f"{edit}{start.inputs_id}"))
    assert f'<option value="{start.inputs_id}" selected>' in form


def test_a_teacher_that_is_no_model_is_told_at_its_field(alice: Client) -> None:
    answer = alice.post("/p/support/start/routing/add/", {"teacher": "a\tb"})

    assert answer.status_code == 422
    assert "Name a model, such as" in text_of(answer)
    assert not Prompt.objects.exists()


def test_a_teacher_that_no_connection_serves_is_told_where_there_are_some(
    alice: Client, cast: Cast
) -> None:
    save_connection(cast.project, name="local", base_url="http://127.0.0.1:9/v1", by=None,
                    allow_private_network=True, model_names=["big"])  # fmt: skip

    answer = alice.post("/p/support/start/routing/add/", {"teacher": "elsewhere/big"})

    assert answer.status_code == 422
    assert "“elsewhere/big”" in text_of(answer)
    assert not Start.objects.exists()


def test_a_viewer_looks_and_changes_nothing(cast: Cast, client: Client) -> None:
    client.force_login(cast.victor)

    assert client.get("/p/support/start/").status_code == 200
    assert "Add to this project" not in text_of(client.get("/p/support/start/workout/"))
    assert client.post("/p/support/start/workout/add/").status_code in (302, 403)
    assert not Start.objects.exists()


def test_a_project_is_made_with_one(alice: Client, cast: Cast) -> None:
    form = text_of(alice.get("/projects/new/?start=workout"))
    assert 'value="workout" id="id_start_6" checked' in form

    home = alice.post("/projects/new/", {"name": "Gym", "start": "workout"}, follow=True)

    made = Project.objects.get(slug="gym")
    assert Dataset.objects.in_project(made).get().name == "Workouts inputs"
    assert "Connect a provider" in text_of(home)
    assert "Workouts inputs" in text_of(home)


@pytest.mark.parametrize("start", ["", "workout"])
def test_a_project_needs_a_name_with_and_without_one(alice: Client, start: str) -> None:
    answer = alice.post("/projects/new/", {"name": " ", "start": start})

    assert answer.status_code == 422
    assert "Give the project a name." in text_of(answer)
    assert Project.objects.count() == 2


def test_what_was_deleted_since_is_no_longer_shown(alice: Client, cast: Cast) -> None:
    add_to(cast.project, point_named("routing"), by=None, at=NOON)
    Pipeline.objects.in_project(cast.project).get().delete()

    page = text_of(alice.get("/p/support/start/"))

    assert "route/inbox" in page
    assert "Run the pipeline" not in page


def test_the_api_lists_and_adds(api: Client, cast: Cast) -> None:
    listed = api.get("/api/v1/starting-points").json()["starting_points"]
    assert [one["name"] for one in listed] == [point.name for point in all_points()]

    made = api.post(
        "/api/v1/starting-points/summarising", {"teacher": "x/y"}, content_type="application/json"
    )

    assert made.status_code == 201
    body = made.json()
    assert body["prompt"] == "summarise/meeting"
    assert str(Pipeline.objects.in_project(cast.project).get().pk) == body["pipeline"]
    assert {part["what"] for part in body["parts"]} == {
        "Prompt", "Rows to run over", "Examples", "Judge", "Pipeline",
    }  # fmt: skip
    missing = api.get("/api/v1/starting-points/poetry")
    assert missing.status_code == 404
    assert "There are: extraction" in missing.json()["error"]["message"]


def test_the_command_lists_and_adds(cast: Cast) -> None:
    told = io.StringIO()

    call_command("start", stdout=told)
    call_command("start", "extraction", "--project", "support", stdout=told)

    lines = told.getvalue().splitlines()
    assert lines[0].startswith("extraction   Extraction to JSON: ")
    assert "Pipeline: Extract complaints" in told.getvalue()
    assert lines[-1].startswith("Next: Connect a provider")
    with pytest.raises(OperatorProblem, match="There is no starting point"):
        call_command("start", "poetry", "--project", "support")
    with pytest.raises(OperatorProblem, match="Name the project"):
        call_command("start", "extraction")
