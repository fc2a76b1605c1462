"""Asking a provider for its models: the test behind the Test button."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import msgspec

from workbench.core.egress import open_session, read_capped, socket_factory, was_blocked
from workbench.core.errors import DomainError

TOTAL_SECONDS = 15.0
MOST_BYTES = 4 << 20


class ConnectionProblem(DomainError):
    """A provider did not answer as expected; the sentence says what to change."""

    code = "connection_failed"
    status = 502


class _Model(msgspec.Struct):
    id: str


class _ModelList(msgspec.Struct):
    data: list[_Model]


def list_models(
    base_url: str, *, credential: str, private: bool, is_anthropic: bool = False
) -> list[str]:
    """The names of the models at `base_url`, sorted.

    Raises:
        ConnectionProblem: no connection, no permission, or no list of models.
    """
    try:
        url = f"{base_url}/models"
        status, body = asyncio.run(_get(url, _headers(credential, is_anthropic), private))
    except (aiohttp.ClientError, OSError, TimeoutError) as problem:
        raise ConnectionProblem(_unreachable(problem, base_url)) from problem
    if status != 200:
        raise ConnectionProblem(_refused(status, base_url))
    try:
        listed = msgspec.json.decode(body, type=_ModelList)
    except msgspec.DecodeError as problem:
        raise ConnectionProblem(
            f"{base_url}/models answered with something other than a list of models. "
            "Does the address end in /v1?"
        ) from problem
    return sorted(model.id for model in listed.data)


def _headers(credential: str, is_anthropic: bool) -> dict[str, str]:
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    if is_anthropic:
        headers["anthropic-version"] = "2023-06-01"
    if credential and is_anthropic:
        headers["x-api-key"] = credential
    elif credential:
        headers["Authorization"] = f"Bearer {credential}"
    return headers


async def _get(url: str, headers: dict[str, str], private: bool) -> tuple[int, bytes]:
    options: dict[str, Any] = {"headers": headers, "allow_redirects": False}
    async with (
        asyncio.timeout(TOTAL_SECONDS),
        open_session(socket_factory(private=private)) as session,
        session.get(url, **options) as response,
    ):
        return response.status, await read_capped(response, MOST_BYTES)


def _unreachable(problem: BaseException, base_url: str) -> str:
    if was_blocked(problem):
        return (
            f"{base_url} leads to a private address. Allow the private network for this "
            "connection if that is meant."
        )
    if isinstance(problem, TimeoutError):
        return f"{base_url} did not answer within {TOTAL_SECONDS:.0f} seconds."
    return f"{base_url} cannot be reached. Check the address and that the server runs."


def _refused(status: int, base_url: str) -> str:
    if status in {401, 403}:
        return f"{base_url} refused the credential ({status}). Enter it again."
    if 300 <= status < 400:
        return f"{base_url} redirects elsewhere ({status}). Enter the final address."
    if status == 404:
        return f"{base_url}/models does not exist (404). Does the address end in /v1?"
    return f"{base_url}/models answered with status {status}. Try again, or check the provider."
