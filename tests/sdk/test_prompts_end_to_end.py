"""From the registry to the log, through the product's own server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import openai
import pytest

import stillhouse
from prompts.models import Prompt
from requests_log.digest.run import digest_once
from requests_log.models import LoggedRequest
from tests.clients import opened
from tests.prompts.factories import make_prompt, make_version, point
from tests.requests_log.conftest import (  # noqa: F401 - fixtures
    Sender,
    project,
    sender,
    transactional_db,
)
from tests.sdk.servers import OpenAIServer

BODY: list[dict[str, Any]] = [
    {"role": "system", "content": "You answer {{shop.name}} customers."},
    {"type": "messages", "name": "history"},
    {"role": "user", "content": "{{question}}"},
]
SHOT = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello, {{shop.name}}"}]
VARIABLES: dict[str, Any] = {
    "shop": {"name": "Bär", "since": 1990},
    "history": [{"role": "user", "content": "Hm"}],
    "question": "Where is it?",
}


@pytest.fixture
def prompt(sender: Sender) -> Iterator[Prompt]:  # noqa: F811
    made = make_prompt(sender.project, body=BODY, few_shot=[{"messages": SHOT}])
    point(made, "production", 1)
    yield made
    made.delete()


@pytest.fixture
def client(sender: Sender) -> Iterator[stillhouse.Client]:  # noqa: F811
    made = stillhouse.Client(sender.key, sender.url, resolve_timeout=60)
    yield made
    made.close(1)


def test_a_call_made_of_a_prompt_is_a_request_of_its_version(
    prompt: Prompt,
    client: stillhouse.Client,
    sender: Sender,  # noqa: F811
    openai_server: OpenAIServer,
) -> None:
    plain = openai.OpenAI(api_key="k", base_url=openai_server.url + "/v1", max_retries=0)
    ai: Any = stillhouse.wrap(opened(plain), client=client)

    messages = client.get_prompt("support/triage").compile(**VARIABLES, extra="ignored")
    ai.chat.completions.create(model="small", messages=messages)

    assert client.flush(60)
    while digest_once():
        pass
    row = LoggedRequest.objects.get(project=sender.project)
    assert (row.prompt_name, row.prompt_version) == ("support/triage", 1)
    assert row.variables == VARIABLES
    assert row.messages == messages


@pytest.mark.parametrize(
    ("syntax", "template"),
    [
        ("mustache", r"{{shop}} {{ shop.name }} {{list.1.a}} {{yes}} {{half}} {{none}} \{{x}}"),
        ("jinja", "{% for x in list %}{{ loop.index }} {% endfor %}{{ shop }} {{ yes }}\n"),
    ],
)
def test_the_sdk_and_the_server_compile_alike(
    sender: Sender,  # noqa: F811
    client: stillhouse.Client,
    syntax: str,
    template: str,
) -> None:
    values: dict[str, Any] = {"list": [1, {"a": "ü"}], "yes": True, "half": 0.5, "none": None}
    values |= VARIABLES
    body = [*BODY, {"role": "user", "content": [{"type": "text", "text": template}]}]
    made = make_prompt(sender.project, body=body, syntax=syntax, few_shot=[{"messages": SHOT}])
    found = client.get_prompt("support/triage")

    assert found.compile(**values) == found._ask(found._answer, values)

    for compile_nothing in (found.compile, partial(found._ask, found._answer, {})):
        with pytest.raises(stillhouse.MissingVariables) as raised:
            compile_nothing()
        names = {name.partition(".")[0] for name in raised.value.names}
        assert names == {variable["name"] for variable in found.variables}
    made.delete()


def test_a_moved_label_is_seen(prompt: Prompt, client: stillhouse.Client) -> None:
    assert client.get_prompt("support/triage@production").version == 1
    make_version(prompt, BODY[2:])
    point(prompt, "production", 2)

    deadline = time.monotonic() + 60
    while client.get_prompt("support/triage@production", cache_ttl_seconds=0.01).version != 2:
        assert time.monotonic() < deadline, "the label's move was not seen"
        time.sleep(0.01)


def test_what_is_not_there_is_told_in_the_server_s_words(
    prompt: Prompt, client: stillhouse.Client
) -> None:
    with pytest.raises(stillhouse.PromptNotFound, match="production, latest"):
        client.get_prompt("support/triage", label="staging")
