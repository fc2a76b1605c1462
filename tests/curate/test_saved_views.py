"""Named queries: saving, sharing, changing and deleting them, and finding them again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from requests_log.saved_views.actions import NameTaken, change_view, delete_view, save_view
from requests_log.saved_views.models import SavedView
from tests.conftest import Cast
from tests.curate.factories import NOON, make_dataset, make_request
from tests.curate.test_log_pages import HOSTILE, client_of, log, text_of
from tests.factories import make_api_key
from workbench.core.errors import DomainError, InvalidInput, NotAllowed
from workbench.core.models import Role, User


def make_view(cast: Cast, name: str = "Unhappy", **more: Any) -> SavedView:
    given: dict[str, Any] = {
        "query": "score.helpful:no since:7d",
        "is_shared": False,
        "by": cast.alice,
        "role": Role.OWNER,
        "at": NOON,
    }
    return save_view(cast.project, name=name, **given | more)


def names_seen(cast: Cast, user: User) -> list[str]:
    return [view.name for view in SavedView.objects.visible_to(cast.project, user)]


def test_own_views_are_seen_by_their_owner_and_shared_ones_by_all(cast: Cast) -> None:
    make_view(cast, "mine")
    make_view(cast, "Ours", is_shared=True)
    make_view(cast, "bob's", by=cast.bob, role=Role.EDITOR)

    assert names_seen(cast, cast.alice) == ["mine", "Ours"]
    assert names_seen(cast, cast.bob) == ["bob's", "Ours"]
    assert names_seen(cast, cast.victor) == ["Ours"]


def test_a_name_is_taken_once_whatever_its_case(cast: Cast) -> None:
    make_view(cast, "Unhappy")
    make_view(cast, "unhappy", is_shared=True)
    make_view(cast, "UNHAPPY", by=cast.bob, role=Role.EDITOR)

    with pytest.raises(NameTaken, match="Choose another name"):
        make_view(cast, "unHappy")
    with pytest.raises(NameTaken):
        make_view(cast, "unHappy", is_shared=True, by=cast.bob, role=Role.EDITOR)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"name": " \t "}, "1 to 80 characters"),
        ({"name": "x" * 81}, "1 to 80 characters"),
        ({"query": "modle:x"}, "Did you mean"),
    ],
)
def test_what_cannot_be_kept_is_told(cast: Cast, fields: dict[str, str], sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        make_view(cast, **fields)


def test_a_viewer_keeps_views_but_shares_none(cast: Cast) -> None:
    make_view(cast, by=cast.victor, role=Role.VIEWER)

    with pytest.raises(NotAllowed, match="Ask an editor"):
        make_view(cast, "other", by=cast.victor, role=Role.VIEWER, is_shared=True)


def test_a_shared_view_is_changed_by_editors_and_taken_back_by_its_owner(cast: Cast) -> None:
    view = make_view(cast, is_shared=True)
    by_bob: dict[str, Any] = {"by": cast.bob, "role": Role.EDITOR, "at": NOON}

    change_view(view, name="Renamed", query="status:error", is_shared=True, **by_bob)

    assert SavedView.objects.get().query == "status:error"
    with pytest.raises(NotAllowed, match="Only its owner"):
        change_view(view, name="Renamed", query="", is_shared=False, **by_bob)
    with pytest.raises(NotAllowed):
        delete_view(view, by=cast.victor, role=Role.VIEWER)


def test_a_private_view_is_nobody_elses(cast: Cast) -> None:
    view = make_view(cast)

    with pytest.raises(DomainError, match="somebody else's"):
        delete_view(view, by=cast.bob, role=Role.OWNER)


def test_a_view_is_saved_opened_changed_and_deleted_by_its_pages(alice: Client, cast: Cast) -> None:
    make_request(cast.project)

    saved = alice.post(log(cast, "views/save/"), {"name": "Fails", "q": "-status:ok"})
    view = SavedView.objects.get()
    opened = text_of(alice.get(saved.headers["Location"]))
    alice.post(log(cast, f"views/{view.pk}/"), {"name": "F", "q": "has:error", "shared": "on"})
    listed = text_of(alice.get(log(cast, "views/")))
    twin = json.loads(alice.get(log(cast, "views.json")).content)
    alice.post(log(cast, f"views/{view.pk}/delete/"))

    assert saved.headers["Location"] == log(cast, "?q=-status%3Aok")
    assert "Saved “Fails”" in opened
    assert "has:error" in listed
    assert [(one["name"], one["query"], one["shared"]) for one in twin["views"]] == [
        ("F", "has:error", True)
    ]
    assert not SavedView.objects.exists()


def test_nobody_reaches_another_persons_or_projects_view(cast: Cast) -> None:
    view = make_view(cast)
    path = log(cast, f"views/{view.pk}/delete/")

    for user in (cast.bob, cast.charlie):
        assert client_of(user).post(path).status_code == 404
    elsewhere = f"/p/{cast.other_project.slug}/log/views/{view.pk}/delete/"
    assert client_of(cast.charlie).post(elsewhere).status_code == 404
    assert SavedView.objects.exists()


def test_a_hostile_name_is_shown_as_text(alice: Client, cast: Cast) -> None:
    make_request(cast.project)
    make_view(cast, HOSTILE[:80], query=f'"{HOSTILE[:40].replace(chr(34), "")}"')

    for path in ("", "views/"):
        page = text_of(alice.get(log(cast, path)))
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)" in page


def test_the_palette_offers_views_pages_and_things_in_reach(alice: Client, cast: Cast) -> None:
    make_view(cast, "Unhappy")
    make_view(cast, "hidden", by=cast.bob, role=Role.EDITOR)
    make_dataset(cast.project, name="Letters")

    answer = json.loads(alice.get(f"/p/{cast.project.slug}/palette.json").content)
    found = {(one["group"], one["label"]): one["url"] for one in answer["offers"]}

    assert found["Saved views", "Unhappy"] == log(cast, "?q=score.helpful%3Ano+since%3A7d")
    assert found["Datasets", "Letters"] == f"/p/{cast.project.slug}/datasets/letters/"
    assert ("Pages", "API keys") in found
    assert ("Saved views", "hidden") not in found
    for label in ("Saved views", "Jobs", "Import", "Prices", "Redaction", "Connections"):
        assert alice.get(found["Pages", label]).status_code == 200


# The API

VIEWS = "/api/v1/saved-views/"
JSON: Any = {"content_type": "application/json"}


def program_of(cast: Cast, user: User | None) -> Client:
    _, text = make_api_key(cast.project, by=user)
    return Client(headers={"Authorization": f"Bearer {text}"})


def test_a_view_is_kept_renamed_listed_and_deleted_by_a_program(cast: Cast) -> None:
    program = program_of(cast, cast.alice)

    made = program.post(VIEWS, {"name": "Slow", "query": "duration:>2s"}, **JSON)
    path = f"{VIEWS}{made.json()['id']}/"
    changed = program.patch(path, {"name": "Slow ones", "shared": True}, **JSON)
    listed = program_of(cast, None).get(VIEWS).json()["views"]

    assert made.status_code == 201
    assert (made.json()["shared"], made.json()["owner"]) == (False, cast.alice.email)
    assert changed.json() == program.get(path).json() == listed[0]
    assert (listed[0]["name"], listed[0]["query"]) == ("Slow ones", "duration:>2s")
    assert program.delete(path).status_code == 204
    assert program.get(path).status_code == 404


def test_a_program_sees_and_changes_what_its_maker_may(cast: Cast) -> None:
    own = make_view(cast, "mine")
    gone = make_view(cast, "of somebody who left")
    SavedView.objects.filter(pk=gone.pk).update(owner=None)
    shared = make_view(cast, "ours", is_shared=True)

    for user in (cast.bob, None):
        program = program_of(cast, user)
        assert [one["name"] for one in program.get(VIEWS).json()["views"]] == ["ours"]
        assert program.get(f"{VIEWS}{own.pk}/").status_code == 404
        assert program.delete(f"{VIEWS}{gone.pk}/").status_code == 404
    viewer = program_of(cast, cast.victor)
    assert viewer.delete(f"{VIEWS}{shared.pk}/").status_code == 403
    assert viewer.post(VIEWS, {"name": "x", "query": "", "shared": True}, **JSON).status_code == 403


def test_a_key_of_nobody_keeps_shared_views_only(cast: Cast) -> None:
    program = program_of(cast, None)

    refused = program.post(VIEWS, {"name": "x", "query": ""}, **JSON)
    made = program.post(VIEWS, {"name": "x", "query": "", "shared": True}, **JSON)

    assert refused.status_code == 400
    assert "Share the view" in refused.json()["error"]["message"]
    assert (made.status_code, made.json()["owner"]) == (201, None)


def test_a_query_with_a_mistake_is_told_to_a_program(cast: Cast) -> None:
    answer = program_of(cast, cast.alice).post(VIEWS, {"name": "x", "query": "modle:x"}, **JSON)

    assert answer.status_code == 400
    assert "model:" in answer.json()["error"]["message"]
