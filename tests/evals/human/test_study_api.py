"""Rating forms and studies over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from tests.conftest import Cast
from tests.curate.factories import make_request
from tests.evals.human.factories import EVERY_KIND, STARS, make_answered, make_form
from tests.factories import make_api_key
from workbench.core.models import User

FORMS, STUDIES = "/api/v1/rating-forms", "/api/v1/studies"


def program(cast: Cast, by: User | None, scopes: list[str] | None = None) -> Client:
    _, text = make_api_key(cast.project, by=by, scopes=scopes)
    return Client(headers={"Authorization": f"Bearer {text}"})


@pytest.fixture
def bob(cast: Cast) -> Client:
    return program(cast, cast.bob)


def post(client: Client, path: str, body: Any = None, *, status: int = 201) -> Any:
    answer = client.post(path, body or {}, content_type="application/json")
    assert answer.status_code == status, answer.content
    return answer.json()


def start(client: Client, cast: Cast, **fields: Any) -> str:
    comparison = make_answered(cast.project)
    body = {"name": "Study", "comparison": str(comparison.pk), "seed": 7, **fields}
    return f"{STUDIES}/{post(client, STUDIES, body)['id']}"


def test_a_form_is_made_read_and_changed(bob: Client) -> None:
    made = post(bob, FORMS, {"name": "Quality", "questions": list(EVERY_KIND)})
    path = f"{FORMS}/{made['id']}"

    second = post(bob, path, {"questions": list(STARS)})
    refused = post(bob, path, {"questions": [{"kind": "choice", "title": "Which?"}]}, status=400)

    assert [field["key"] for field in made["questions"]] == [field["key"] for field in EVERY_KIND]
    assert second["version"] == 2
    assert bob.get(path).json()["questions"][0]["key"] == "helpful"
    assert [form["version"] for form in bob.get(FORMS).json()["forms"]] == [2]
    assert "2 to 20 options" in refused["error"]["message"]


def test_a_study_is_worked_through_and_finished(bob: Client, cast: Cast) -> None:
    path = start(bob, cast, items=2, both_bad=True)
    first = post(bob, f"{path}/next", status=200)
    assert first["left"] == 2
    assert len(first["answers"]) == 2

    post(bob, f"{path}/ratings", {"slot": first["slot"], "choice": "left", "comment": "Why not"})
    undone = post(bob, f"{path}/undo", status=200)
    assert undone["slot"] == first["slot"] == post(bob, f"{path}/next", status=200)["slot"]
    post(bob, f"{path}/ratings", {"slot": first["slot"], "choice": "both_bad"})
    second = post(bob, f"{path}/next", status=200)
    post(bob, f"{path}/ratings", {"slot": second["slot"], "skip": True})
    assert post(bob, f"{path}/next", status=200)["slot"] is None

    progress = bob.get(path).json()
    assert (progress["done"], progress["total"]) == (1, 2)
    assert progress["raters"][0]["rater"] == cast.bob.email
    assert [progress["raters"][0][name] for name in ("ratings", "skipped")] == [1, 1]
    post(bob, f"{path}/finish", status=200)
    results = bob.get(f"{path}/results").json()
    assert results["both_bad"] == 1
    assert [one["win_rate"]["mean"] for one in results["candidates"]] == [0.5, 0.5]
    assert post(bob, f"{path}/scores", status=202)["job"]


def test_nothing_of_an_open_study_tells_whose_answers_they_are(bob: Client, cast: Cast) -> None:
    path = start(bob, cast)
    work = post(bob, f"{path}/next", status=200)
    rated = post(bob, f"{path}/ratings", {"slot": work["slot"], "choice": "tie"})

    for said in (work, rated, bob.get(path).json(), bob.get(STUDIES).json()):
        assert [name for name in ("student", "teacher", "local/") if name in str(said)] == []
    refused = bob.get(f"{path}/results")
    assert refused.status_code == 409
    assert refused.json()["error"]["code"] == "study_open"


def test_requests_are_rated_by_the_fields_of_a_form(bob: Client, cast: Cast) -> None:
    make_request(cast.project)
    form = make_form(cast.project)
    body = {"name": "Log", "form": str(form.form_id), "version": 1, "query": ""}
    path = f"{STUDIES}/{post(bob, STUDIES, body)['id']}"

    work = post(bob, f"{path}/next", status=200)
    wrong = {"slot": work["slot"], "answers": {"helpful": 9}}
    refused = post(bob, f"{path}/ratings", wrong, status=400)
    post(bob, f"{path}/ratings", {"slot": work["slot"], "answers": {"helpful": 5}})

    assert work["questions"][0]["key"] == "helpful"
    assert work["asked_about"] == [2]
    assert "from 1 to 5" in refused["error"]["message"]
    post(bob, f"{path}/finish", status=200)
    (question,) = bob.get(f"{path}/results").json()["questions"]
    assert question["candidates"][0]["mean"]["mean"] == 5


@pytest.mark.parametrize(
    ("fields", "status", "sentence"),
    [
        ({"query": "model:a"}, 400, "Say what is judged"),
        ({"candidates": ["nobody", "student"]}, 400, "no candidate “nobody”"),
        ({"raters": ["nobody@example.com"]}, 400, "is no member"),
        ({"form": "0192f0c0-0000-7000-8000-00000000dead"}, 404, "no such thing"),
    ],
)
def test_a_study_that_makes_no_sense_is_refused(
    bob: Client, cast: Cast, fields: dict[str, Any], status: int, sentence: str
) -> None:
    comparison = make_answered(cast.project)
    body = {"name": "Study", "comparison": str(comparison.pk), **fields}

    refused = post(bob, STUDIES, body, status=status)

    assert sentence in refused["error"]["message"]


def test_a_key_rates_as_whoever_made_it_and_needs_the_scope(bob: Client, cast: Cast) -> None:
    path = start(bob, cast, raters=[cast.alice.email])

    as_bob = post(bob, f"{path}/next", status=403)
    as_nobody = post(program(cast, None), f"{path}/next", status=403)
    reading = program(cast, cast.alice, ["read"])

    assert "not one of the raters" in as_bob["error"]["message"]
    assert "not one of the raters" in as_nobody["error"]["message"]
    assert post(reading, f"{path}/next", status=403)["error"]["code"] == "permission_denied"
    assert post(program(cast, cast.alice), f"{path}/next", status=200)["slot"]


def test_other_projects_have_no_such_study(bob: Client, cast: Cast) -> None:
    path = start(bob, cast)
    _, text = make_api_key(cast.other_project, by=cast.charlie)
    stranger = Client(headers={"Authorization": f"Bearer {text}"})

    for method in (stranger.get, stranger.post):
        assert method(path, content_type="application/json").status_code in (404, 405)
    assert post(stranger, f"{path}/next", status=404)["error"]["code"] == "not_found"
