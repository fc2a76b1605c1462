"""Home, settings and jobs, as the people of a project see them."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.conftest import Cast
from workbench.core.models import ApiKey, Job


def _base(cast: Cast) -> str:
    return f"/p/{cast.project.slug}/"


@pytest.mark.parametrize("path", ["", "jobs/", "settings/", "settings/keys/"])
def test_an_owner_opens_every_page_of_the_shell(cast: Cast, alice: Client, path: str) -> None:
    page = alice.get(_base(cast) + path)

    assert page.status_code == 200
    assert 'aria-current="page"' in page.content.decode() or path == "jobs/"


def test_a_new_key_is_shown_once(cast: Cast, alice: Client) -> None:
    keys = f"{_base(cast)}settings/keys/"

    made = alice.post(f"{keys}new/", {"name": "checkout", "scopes": ["ingest"]}).content.decode()

    key = ApiKey.objects.get(name="checkout")
    assert f"sh_{key.prefix}_" in made
    assert f"sh_{key.prefix}_" not in alice.get(keys).content.decode()


def test_only_an_owner_is_offered_to_add_members(cast: Cast, alice: Client) -> None:
    victor = Client()
    victor.force_login(cast.victor)
    settings = f"{_base(cast)}settings/"

    assert "Add a member" in alice.get(settings).content.decode()
    assert "Add a member" not in victor.get(settings).content.decode()


def test_a_running_job_is_shown_in_the_bar_with_how_far_it_is(cast: Cast, alice: Client) -> None:
    Job.objects.create(
        project=cast.project, kind="tag", title="Tag requests", state="running", done=1, total=4
    )

    fragment = alice.get(f"{_base(cast)}jobs/active/").content.decode()

    assert "Tag requests" in fragment
    assert 'value="0.2500"' in fragment
    assert "<html" not in fragment


def test_nothing_is_shown_in_the_bar_while_nothing_runs(cast: Cast, alice: Client) -> None:
    assert alice.get(f"{_base(cast)}jobs/active/").content.decode().strip() == ""


def test_a_strangers_project_is_not_there(cast: Cast, alice: Client) -> None:
    page = alice.get(f"/p/{cast.other_project.slug}/")

    assert page.status_code == 404
    assert "There is no such page" in page.content.decode()


def test_what_is_not_there_is_said_within_the_project_to_its_members_alone(
    cast: Cast, alice: Client
) -> None:
    charlie = Client()
    charlie.force_login(cast.charlie)
    nowhere = f"{_base(cast)}no/such/page/"

    answers = [client.get(nowhere) for client in (alice, charlie, Client())]

    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert [f'href="{_base(cast)}log/"' in one.content.decode() for one in answers] == [
        True,
        False,
        False,
    ]


def test_a_viewer_is_not_led_to_keys_that_only_editors_make(cast: Cast, alice: Client) -> None:
    victor = Client()
    victor.force_login(cast.victor)
    keys = f'href="{_base(cast)}settings/keys/"'

    for path in ("", "settings/"):
        assert keys in alice.get(_base(cast) + path).content.decode()
        assert keys not in victor.get(_base(cast) + path).content.decode()


def test_sign_in_says_what_is_wrong(cast: Cast) -> None:
    page = Client().post("/sign-in/", {"email": cast.alice.email, "password": "wrong"})

    assert page.status_code == 422
    assert "The address or the password is wrong" in page.content.decode()
