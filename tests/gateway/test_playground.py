"""The playground talks to models through the gateway's own path."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx2 as httpx
import pytest
from django.test import Client

from tests.factories import make_member, make_user
from tests.gateway.conftest import World
from tests.gateway.upstream import STREAM, streamed, whole
from workbench.core.models import Membership, Role


@pytest.fixture
def browser(world: World) -> Iterator[Client]:
    editor = make_user(name="Editor")
    make_member(world.project, editor, Role.EDITOR)
    client = Client()
    client.force_login(editor)
    yield client
    client.logout()
    # Rows of these tests are really committed: whoever stays would be met by the next test.
    Membership.objects.filter(user=editor).delete()
    editor.delete()


def complete(world: World, browser: Client, **asked: Any) -> httpx.Response:
    """Post as the page does, to the real server, because a streamed answer needs its loop."""
    page = browser.get(f"/p/{world.project.slug}/playground/")
    cookies = {name: morsel.value for name, morsel in browser.cookies.items()}
    with httpx.Client(base_url=world.url, cookies=cookies, timeout=120) as client:
        return client.post(
            f"/p/{world.project.slug}/playground/complete/",
            json={"model": "gpt-test", "messages": [{"role": "user", "content": "hi"}], **asked},
            headers={"X-CSRFToken": str(page.context["csrf_token"])},
        )


def first_event(answer: httpx.Response) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(answer.text.split("\n\n")[0].removeprefix("data: "))
    return event


def test_the_page_offers_the_models_and_takes_one_from_its_address(
    world: World, browser: Client
) -> None:
    page = browser.get(f"/p/{world.project.slug}/playground/?model=mine@production").content

    assert b'value="acme/gpt-test"' in page
    assert b'value="mine@production"' in page
    assert b"<script>" not in page
    assert b"style=" not in page


def test_an_answer_streams_back_and_is_logged_as_the_playground_s(
    world: World, browser: Client
) -> None:
    world.upstream.answer = streamed([STREAM])

    answer = complete(world, browser, temperature=0.5)

    assert answer.text.encode().endswith(STREAM)
    (logged,) = world.logged()
    assert first_event(answer) == {"stillhouse": {"request_id": str(logged.id), "status": 200}}
    assert (logged.source, logged.status) == ("playground", "ok")
    assert str(logged.end_user).startswith("editor")
    assert json.loads(world.request_of(logged.id))["temperature"] == 0.5


def test_an_error_of_the_provider_arrives_as_one_event(world: World, browser: Client) -> None:
    world.upstream.answer = whole({"error": {"message": "No such model."}}, status=404)

    answer = complete(world, browser)

    assert '"message": "No such model."' in answer.text
    assert first_event(answer)["stillhouse"]["status"] == 404


@pytest.mark.parametrize(
    "asked", [{"model": ""}, {"messages": []}, {"temperature": 9}, {"max_tokens": True}]
)
def test_nonsense_is_refused_with_a_sentence(
    world: World, browser: Client, asked: dict[str, Any]
) -> None:
    answer = complete(world, browser, **asked)

    assert answer.status_code == 400
    assert answer.json()["error"]["message"].endswith(".")
    assert world.upstream.seen == []
