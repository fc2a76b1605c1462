"""The gateway finds a deployment at Azure."""

from __future__ import annotations

import json

import httpx2 as httpx
import pytest

from tests.gateway.conftest import CANARY, World
from workbench.providers.actions import save_connection
from workbench.providers.models import Connection

BODY = b'{"model": "az/my-gpt", "messages": [{"role": "user", "content": "Hi"}]}'


@pytest.fixture
def azure(world: World) -> World:
    """A world with a connection to Azure, whose resource is the upstream."""
    save_connection(
        world.project,
        name="az",
        base_url=world.upstream.url.removesuffix("/v1"),
        credential=CANARY,
        kind=Connection.Kind.AZURE,
        api_version="2024-10-21",
        allow_private_network=True,
        by=None,
    )
    return world


def test_a_call_goes_to_the_deployment_with_azure_s_header(azure: World) -> None:
    answer = azure.post(BODY)

    seen = azure.upstream.last
    assert answer.status_code == 200
    assert (seen.path, seen.query) == (
        "/openai/deployments/my-gpt/chat/completions", "api-version=2024-10-21",
    )  # fmt: skip
    assert seen.headers["api-key"] == CANARY
    assert "Authorization" not in seen.headers
    assert json.loads(seen.body)["model"] == "my-gpt"


@pytest.mark.parametrize("path", ["responses", "messages"])
def test_what_a_deployment_has_not_is_said(azure: World, path: str) -> None:
    headers = {"authorization": f"Bearer {azure.key}"}

    answer = httpx.post(f"{azure.url}/v1/{path}", content=BODY, headers=headers, timeout=60)

    assert answer.status_code == 404
    assert "Call /v1/chat/completions" in answer.text
    assert azure.upstream.seen == []
