"""An engine that was given a token answers nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import openai
import pytest
from openai import OpenAI

from tests.engine.running import RunningEngine, running_engine
from tests.engine.tiny_models import manifest

TOKEN = "s3cret-token"


@pytest.fixture(scope="module")
def guarded(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    folder = tmp_path_factory.mktemp("guarded")
    with running_engine(folder, manifest(models), token=TOKEN) as running:
        yield running


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", TOKEN, f"Bearer {TOKEN}x"])
def test_a_call_without_the_token_is_refused(guarded: RunningEngine, header: str) -> None:
    body = {"model": "base:1", "messages": [{"role": "user", "content": "Hi"}]}

    refused = guarded.post(body, authorization=header)

    assert refused.status_code == 401
    assert refused.json()["error"]["code"] == "invalid_api_key"
    assert "gateway" in refused.json()["error"]["message"]


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/base:1", "/stats", "/nothing"])
def test_nothing_else_is_told_without_the_token(guarded: RunningEngine, path: str) -> None:
    assert httpx2.get(guarded.url + path, timeout=120).status_code == 401


def test_its_health_is_open(guarded: RunningEngine) -> None:
    assert guarded.get("/healthz")["status"] == "ok"


def test_a_caller_with_the_token_is_answered(guarded: RunningEngine) -> None:
    with OpenAI(base_url=f"{guarded.url}/v1", api_key=TOKEN, max_retries=0, timeout=120) as client:
        reply = client.chat.completions.create(
            model="base:1", messages=[{"role": "user", "content": "Hi"}], max_tokens=1
        )

    assert reply.model == "base:1"


def test_a_stranger_gets_the_error_openai_clients_know(guarded: RunningEngine) -> None:
    with (
        OpenAI(base_url=f"{guarded.url}/v1", api_key="x", max_retries=0) as stranger,
        pytest.raises(openai.AuthenticationError, match="its token"),
    ):
        stranger.models.list()
