"""Asking a provider for its models: the test behind the Test button."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import msgspec

from workbench.core.egress import open_session, read_capped, socket_factory
from workbench.providers.models import Connection
from workbench.providers.trouble import ConnectionProblem, refused, unreachable
from workbench.providers.wire import ANTHROPIC_VERSION, MODELS_PATH, azure_url, credential_headers

__all__ = ["ConnectionProblem", "list_models"]

TOTAL_SECONDS = 15.0
MOST_BYTES = 4 << 20


class _Model(msgspec.Struct):
    id: str


class _ModelList(msgspec.Struct):
    data: list[_Model]


def list_models(
    base_url: str,
    *,
    credential: str,
    private: bool,
    kind: str = Connection.Kind.OPENAI_COMPATIBLE,
    api_version: str = "",
) -> list[str]:
    """The names of the models at `base_url`, sorted.

    Of Azure they are those that can be deployed, which says that address and credential are right;
    what is deployed, it tells nobody.

    Raises:
        ConnectionProblem: no connection, no permission, or no list of models.
    """
    url = _url(base_url, kind, api_version)
    try:
        status, body = asyncio.run(_get(url, _headers(kind, credential), private))
    except (aiohttp.ClientError, OSError, TimeoutError) as problem:
        sentence = unreachable(problem, base_url, seconds=TOTAL_SECONDS)
        raise ConnectionProblem(sentence) from problem
    if status != 200:
        raise ConnectionProblem(refused(status, body, base_url, kind=kind, credential=credential))
    return sorted(name.removeprefix("models/") for name in _names(base_url, body))


def _url(base_url: str, kind: str, api_version: str) -> str:
    if kind == Connection.Kind.AZURE:
        return azure_url(base_url, MODELS_PATH, api_version)
    page = "?limit=1000" if kind == Connection.Kind.ANTHROPIC else ""
    return f"{base_url}{MODELS_PATH}{page}"


def _names(base_url: str, body: bytes) -> list[str]:
    """Most providers list under `data`; some answer with the bare list."""
    try:
        if body.lstrip().startswith(b"["):
            return [model.id for model in msgspec.json.decode(body, type=list[_Model])]
        return [model.id for model in msgspec.json.decode(body, type=_ModelList).data]
    except msgspec.DecodeError as problem:
        raise ConnectionProblem(
            f"{base_url}{MODELS_PATH} answered with something other than a list of models. "
            "Does the address end in /v1?"
        ) from problem


def _headers(kind: str, credential: str) -> dict[str, str]:
    headers = {"accept": "application/json", "accept-encoding": "identity"}
    if kind == Connection.Kind.ANTHROPIC:
        headers["anthropic-version"] = ANTHROPIC_VERSION
    return headers | credential_headers(kind, credential, MODELS_PATH)


async def _get(url: str, headers: dict[str, str], private: bool) -> tuple[int, bytes]:
    options: dict[str, Any] = {"headers": headers, "allow_redirects": False}
    async with (
        asyncio.timeout(TOTAL_SECONDS),
        open_session(socket_factory(private=private)) as session,
        session.get(url, **options) as response,
    ):
        return response.status, await read_capped(response, MOST_BYTES)
