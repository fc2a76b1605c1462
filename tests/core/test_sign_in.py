"""Setting up, signing in and out."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from tests.conftest import Cast
from tests.factories import PASSWORD, make_project
from workbench.core.actions import create_user
from workbench.core.models import Membership, Project, Role, User

FORM = {"name": "Ada", "email": "ada@example.com", "password": PASSWORD, "project": "Support"}


@pytest.fixture
def ada(db: None) -> User:
    return create_user(email="ada@example.com", password=PASSWORD, name="Ada")


def sign_in(client: Client, **more: str) -> Any:
    return client.post("/sign-in/", {"email": "ada@example.com", "password": PASSWORD, **more})


def is_signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def test_an_empty_installation_leads_to_set_up(db: None) -> None:
    assert Client().get("/")["Location"] == "/setup/"
    assert Client().get("/sign-in/")["Location"] == "/setup/"


def test_set_up_makes_the_first_owner_and_signs_them_in(db: None) -> None:
    client = Client()

    answer = client.post("/setup/", FORM)

    assert answer["Location"] == "/p/support/"
    assert is_signed_in(client)
    assert Membership.objects.get().role == Role.OWNER
    assert User.objects.get().is_staff


def test_set_up_adopts_projects_made_on_the_command_line(db: None) -> None:
    made_before = make_project(name="Support")

    Client().post("/setup/", FORM)

    assert Membership.objects.get().project == made_before


def test_set_up_happens_once(ada: User) -> None:
    answer = Client().post("/setup/", {**FORM, "email": "eve@example.com"})

    assert answer["Location"] == "/sign-in/"
    assert list(User.objects.all()) == [ada]


@pytest.mark.django_db(transaction=True)
def test_of_two_set_ups_at_once_one_is_refused() -> None:
    ready = threading.Barrier(2)

    def set_up(number: int) -> None:
        ready.wait()
        Client().post("/setup/", {**FORM, "email": f"user{number}@example.com"})
        connection.close()

    threads = [threading.Thread(target=set_up, args=[number]) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert User.objects.count() == 1
    assert Project.objects.count() == 1


@pytest.mark.parametrize(
    ("field", "value", "word"),
    [
        ("password", "short", "too short"),
        ("password", "password1234", "too common"),
        ("password", "ada@example.com", "too similar"),
        ("email", "not an address", "valid email"),
        ("project", "", "required"),
        ("name", "Ada\0", "ull characters"),
    ],
)
def test_set_up_says_what_is_wrong(db: None, field: str, value: str, word: str) -> None:
    answer = Client().post("/setup/", {**FORM, field: value})

    assert answer.status_code == 422
    assert word in answer.content.decode()
    assert not User.objects.exists()


def test_the_right_password_opens_the_door(ada: User) -> None:
    client = Client()

    answer = sign_in(client, email="ADA@example.com")

    assert answer["Location"] == "/"
    assert is_signed_in(client)


def test_signing_in_changes_the_session_key(ada: User) -> None:
    client = Client()
    session = client.session
    session["seen"] = True
    session.save()
    before = session.session_key

    sign_in(client)

    assert client.session.session_key != before


@pytest.mark.parametrize("wrong", [{"password": "something else"}, {"email": "eve@example.com"}])
def test_a_wrong_password_and_a_wrong_address_look_the_same(
    ada: User, wrong: dict[str, str]
) -> None:
    client = Client()

    answer = sign_in(client, **wrong)

    assert answer.status_code == 422
    assert "The address or the password is wrong" in answer.content.decode()
    assert not is_signed_in(client)


def test_somebody_who_left_cannot_sign_in(ada: User) -> None:
    User.objects.update(is_active=False)
    client = Client()

    assert sign_in(client).status_code == 422


def test_a_session_ends_when_the_person_is_deactivated(ada: User) -> None:
    client = Client()
    sign_in(client)
    User.objects.update(is_active=False)

    assert client.get("/projects/new/")["Location"].startswith("/sign-in/")


def test_signing_in_leads_back_to_the_page_asked_for(cast: Cast, ada: User) -> None:
    asked = Client().get(f"/p/{cast.project.slug}/jobs/?before=1")["Location"]

    assert asked == f"/sign-in/?next=%2Fp%2F{cast.project.slug}%2Fjobs%2F%3Fbefore%3D1"
    assert sign_in(Client(), next="/patterns/?x=1")["Location"] == "/patterns/?x=1"


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)",
        "http:///evil.example", "\thttps://evil.example", "https:evil.example", "////evil.example",
    ],
)  # fmt: skip
def test_signing_in_leads_nowhere_else(ada: User, target: str) -> None:
    assert sign_in(Client(), next=target)["Location"] == "/"


def test_htmx_is_led_to_the_sign_in_page_by_a_whole_page(cast: Cast) -> None:
    answer = Client().get(f"/p/{cast.project.slug}/jobs/", headers={"HX-Request": "true"})

    assert answer.status_code == 204
    assert answer["HX-Redirect"].startswith("/sign-in/?next=")


def test_signing_out_needs_a_form(ada: User) -> None:
    client = Client()
    sign_in(client)

    by_link = client.get("/sign-out/")
    still_in = is_signed_in(client)
    client.post("/sign-out/")

    assert by_link.status_code == 405
    assert still_in
    assert not is_signed_in(client)


@pytest.mark.parametrize("path", ["/setup/", "/sign-in/", "/sign-out/", "/projects/new/"])
def test_a_form_of_another_site_is_refused(ada: User, path: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(ada)

    answer = client.post(path, FORM)

    assert answer.status_code == 403
    assert "reload it and try again" in answer.content.decode()


def test_session_cookies_are_out_of_reach_of_scripts_and_other_sites(ada: User) -> None:
    client = Client()
    sign_in(client)

    cookie = client.cookies["sessionid"]

    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
