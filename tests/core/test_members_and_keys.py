"""Who is in a project, and the keys of its programs."""

from __future__ import annotations

import re
import threading
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from tests.conftest import Cast
from tests.factories import make_api_key, make_member, make_project, make_user
from workbench.core.actions import LastOwner, add_member, create_project, remove_member
from workbench.core.errors import InvalidInput
from workbench.core.models import ApiKey, Membership, Project, Role, Scope, User


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def role_of(user: User, project: Project) -> str | None:
    found = Membership.objects.filter(project=project, user=user).first()
    return found.role if found else None


def post(client: Client, cast: Cast, path: str, **form: Any) -> Any:
    settings = f"/p/{cast.project.slug}/settings/"
    came_from = {"Referer": f"http://testserver{settings}"}
    return client.post(settings + path, form, follow=True, headers=came_from)


def test_an_owner_lets_somebody_in(cast: Cast, alice: Client) -> None:
    post(alice, cast, "members/add/", email=cast.charlie.email.upper(), role=Role.EDITOR)

    assert role_of(cast.charlie, cast.project) == Role.EDITOR


def test_adding_somebody_again_changes_their_role(cast: Cast, alice: Client) -> None:
    post(alice, cast, "members/add/", email=cast.victor.email, role=Role.OWNER)

    assert role_of(cast.victor, cast.project) == Role.OWNER


@pytest.mark.parametrize(
    ("form", "word"),
    [
        ({"email": "nobody@example.com", "role": "viewer"}, "Nobody with the address"),
        ({"email": "nul\0@example.com", "role": "viewer"}, "Nobody with the address"),
        ({"email": "x@example.com", "role": "emperor"}, "Choose a role"),
        ({}, "Choose a role"),
    ],
)
def test_a_wrong_form_comes_back_with_a_sentence(
    cast: Cast, alice: Client, form: dict[str, str], word: str
) -> None:
    answer = post(alice, cast, "members/add/", **form)

    assert answer.status_code == 200
    assert word in answer.content.decode()


def test_the_last_owner_stays(cast: Cast, alice: Client) -> None:
    answer = post(alice, cast, f"members/{cast.alice.pk}/remove/")

    assert "A project needs an owner" in answer.content.decode()
    assert role_of(cast.alice, cast.project) == Role.OWNER


def test_the_last_owner_cannot_step_down(cast: Cast) -> None:
    with pytest.raises(LastOwner):
        add_member(cast.project, email=cast.alice.email, role=Role.VIEWER)


def test_one_of_two_owners_may_leave(cast: Cast, alice: Client) -> None:
    add_member(cast.project, email=cast.bob.email, role=Role.OWNER)

    post(alice, cast, f"members/{cast.bob.pk}/remove/")

    assert role_of(cast.bob, cast.project) is None


@pytest.mark.django_db(transaction=True)
def test_two_owners_leaving_at_once_leave_one() -> None:
    project, first, second = make_project(), make_user(), make_user()
    make_member(project, first, Role.OWNER)
    make_member(project, second, Role.OWNER)
    ready = threading.Barrier(2)

    def leave(user: User) -> None:
        ready.wait()
        try:
            remove_member(project, user=user)
        except LastOwner:
            pass
        finally:
            connection.close()

    threads = [threading.Thread(target=leave, args=[user]) for user in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert Membership.objects.filter(project=project, role=Role.OWNER).count() == 1


def test_members_of_other_projects_cannot_be_removed_from_here(cast: Cast, alice: Client) -> None:
    answer = alice.post(f"/p/{cast.project.slug}/settings/members/{cast.charlie.pk}/remove/")

    assert answer.status_code == 404
    assert role_of(cast.charlie, cast.other_project) == Role.OWNER


def test_a_new_key_is_shown_once(cast: Cast, alice: Client) -> None:
    path = f"/p/{cast.project.slug}/settings/keys/"

    made = alice.post(f"{path}new/", {"name": "checkout", "scopes": ["ingest", "gateway"]})
    again = alice.get(path)

    found = re.search(r"sh_[a-z0-9]{8}_([\w-]{43})", made.content.decode())
    assert found is not None
    assert found[1] not in again.content.decode()
    assert "checkout" in again.content.decode()
    assert "no-store" in made["Cache-Control"]
    assert ApiKey.objects.get().scopes == ["ingest", "gateway"]


@pytest.mark.parametrize(
    ("form", "word"),
    [
        ({"name": "x"}, "at least one scope"),
        ({"name": "x", "scopes": ["root"]}, "at least one scope"),
        ({"name": " \0 ", "scopes": ["read"]}, "Give the key a name"),
    ],
)
def test_a_wrong_key_form_comes_back_with_a_sentence(
    cast: Cast, alice: Client, form: dict[str, Any], word: str
) -> None:
    answer = alice.post(
        f"/p/{cast.project.slug}/settings/keys/new/", form, headers={"HX-Request": "true"}
    )

    assert word in answer["HX-Trigger"]
    assert not ApiKey.objects.exists()


def test_a_revoked_key_stops_working(cast: Cast, alice: Client) -> None:
    key, text = make_api_key(cast.project)
    program = Client(headers={"Authorization": f"Bearer {text}"})
    before = program.get("/api/v1/requests/").status_code

    post(alice, cast, f"keys/{key.pk}/revoke/")

    assert before == 200
    assert program.get("/api/v1/requests/").status_code == 401


def test_keys_of_other_projects_cannot_be_revoked_from_here(cast: Cast, alice: Client) -> None:
    key, _ = make_api_key(cast.other_project)

    answer = alice.post(f"/p/{cast.project.slug}/settings/keys/{key.pk}/revoke/")

    assert answer.status_code == 404
    assert ApiKey.objects.usable(timezone.now()).filter(pk=key.pk).exists()


def test_using_a_key_is_noted_without_writing_on_every_call(cast: Cast) -> None:
    key, text = make_api_key(cast.project, scopes=[Scope.READ])
    program = Client(headers={"Authorization": f"Bearer {text}"})

    program.get("/api/v1/requests/")
    first = ApiKey.objects.get(pk=key.pk).last_used_at
    program.get("/api/v1/requests/")

    assert first is not None
    assert ApiKey.objects.get(pk=key.pk).last_used_at == first


@pytest.mark.parametrize("name", ["", "   ", "\0", "\u200b\u202e"])
def test_a_project_needs_a_readable_name(db: None, name: str) -> None:
    with pytest.raises(InvalidInput):
        create_project(name=name, owner=None)


@pytest.mark.parametrize("name", ["日本語", "new", "API", "-", "x" * 500, "a\nb"])
def test_any_readable_name_gives_a_usable_address(cast: Cast, name: str) -> None:
    project = create_project(name=name, owner=cast.alice)

    assert signed_in(cast.alice).get(f"/p/{project.slug}/").status_code == 200
    assert "\n" not in project.name


@pytest.mark.django_db(transaction=True)
def test_projects_of_one_name_made_at_once_get_addresses_of_their_own() -> None:
    ready = threading.Barrier(4)

    def make() -> None:
        ready.wait()
        create_project(name="Same", owner=None)
        connection.close()

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    slugs = set(Project.objects.values_list("slug", flat=True))
    assert slugs == {"same", "same-2", "same-3", "same-4"}
