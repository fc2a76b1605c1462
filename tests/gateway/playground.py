"""Asking the playground as its page does: over HTTP, on the real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2 as httpx
from django.test import Client

from tests.factories import make_member, make_user
from tests.gateway.conftest import World
from workbench.core.models import Membership, Role, User


@dataclass
class Person:
    """Somebody signed in, with what the page knows of them."""

    world: World
    user: User
    client: Client
    token: str = ""
    cookies: dict[str, str] = field(default_factory=dict)

    @property
    def base(self) -> str:
        return f"/p/{self.world.project.slug}/playground/"

    def open(self, query: str = "") -> Any:
        """The page."""
        page = self.client.get(self.base + query)
        if page.status_code == 200:
            self.token = str(page.context["csrf_token"])
            self.cookies = {name: morsel.value for name, morsel in self.client.cookies.items()}
        return page

    def ask(self, name: str, body: dict[str, Any]) -> httpx.Response:
        if not self.token:
            self.open()
        with httpx.Client(base_url=self.world.url, cookies=self.cookies, timeout=120) as client:
            headers = {"X-CSRFToken": self.token}
            return client.post(f"{self.base}{name}/", json=body, headers=headers)

    @contextmanager
    def streaming(self, name: str, body: dict[str, Any]) -> Iterator[Iterator[bytes]]:
        """The answer in the parts it comes in; leaving the block leaves it."""
        headers = {"X-CSRFToken": self.token}
        with (
            httpx.Client(base_url=self.world.url, cookies=self.cookies, timeout=120) as client,
            client.stream("POST", f"{self.base}{name}/", json=body, headers=headers) as answer,
        ):
            yield answer.iter_raw()

    def run(self, state: dict[str, Any], place: int = 0, **more: Any) -> httpx.Response:
        """Check and keep the state, then make one column's call."""
        plan = self.ask("run", {"state": state, **more})
        assert plan.status_code == 200, plan.text
        return self.complete(plan.json(), state["columns"][place]["model"], place)

    def complete(self, plan: dict[str, Any], model: str, place: int = 0) -> httpx.Response:
        body = {**plan["body"], **plan["own"][place]}
        asked = {"model": model, "body": body, "raw": plan["raw"], "labels": plan["labels"]}
        return self.ask("complete", asked)


@contextmanager
def signed_in(world: World, role: Role | None = Role.EDITOR, name: str = "Ed") -> Iterator[Person]:
    """A member of the project, or a stranger without a role; gone with the block."""
    user = make_user(name=name)
    if role is not None:
        make_member(world.project, user, role)
    client = Client()
    client.force_login(user)
    try:
        yield Person(world, user, client)
    finally:
        client.logout()
        # Rows of these tests are really committed: whoever stays would be met by the next test.
        Membership.objects.filter(user=user).delete()
        user.delete()


def state_of(*messages: tuple[str, str], model: str = "gpt-test", **more: Any) -> dict[str, Any]:
    rows = [{"role": role, "content": content} for role, content in messages]
    return {"messages": rows or [{"role": "user", "content": "hi"}], **_columns(model), **more}


def _columns(model: str) -> dict[str, Any]:
    return {"columns": [{"model": model, "own": "", "result": None}]}


def events(answer: httpx.Response) -> list[dict[str, Any]]:
    """The documents of a streamed answer."""
    found = [part for part in answer.text.split("\n\n") if part.strip()]
    texts = ["\n".join(line.removeprefix("data: ") for line in one.split("\n")) for one in found]
    return [json.loads(text) for text in texts if text != "[DONE]"]


def said(answer: httpx.Response) -> str:
    """The text of a streamed answer, chat's or a text completion's."""
    choices = [choice for event in events(answer) for choice in event.get("choices", [])]
    return "".join(c.get("text") or c.get("delta", {}).get("content") or "" for c in choices)
