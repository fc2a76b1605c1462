"""A conversation as the prompt that a registered model reads, asked of its engine."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
import msgspec

from workbench.core.egress import open_session, read_capped, unchecked_socket
from workbench.core.errors import DomainError, InvalidInput
from workbench.providers.refs import Endpoint

SECONDS = 60.0
MOST_BYTES = 32 << 20


class NotRendered(DomainError):
    """The engine could not show the prompt; the sentence carries its own words."""

    code = "not_rendered"
    status = 502


def prompt_text(
    endpoint: Endpoint, messages: Sequence[Mapping[str, Any]], tools: Sequence[Any] | None
) -> str:
    """The text with its special tokens: as a text completion it gets the chat's answer.

    Raises:
        InvalidInput: it is no model of ours, so nobody here knows its template.
        NotRendered: the engine refused, or is away.
    """
    if not endpoint.is_engine:
        raise InvalidInput(
            f"“{endpoint.ref}” is not served here, so its template is not known. Choose a "
            "registered model, or type the prompt by hand."
        )
    body: dict[str, Any] = {"model": endpoint.model, "messages": list(messages)}
    if tools:
        body["tools"] = list(tools)
    try:
        status, answer = asyncio.run(_ask(endpoint, msgspec.json.encode(body)))
    except (aiohttp.ClientError, OSError, TimeoutError) as problem:
        raise NotRendered("The engine does not answer. Try again in a few seconds.") from problem
    told = _document(answer)
    if status != 200 or not isinstance(told.get("prompt"), str):
        error = told.get("error")
        words = error.get("message") if isinstance(error, dict) else None
        raise NotRendered(str(words or f"The engine answered with status {status}."))
    return str(told["prompt"])


async def _ask(endpoint: Endpoint, body: bytes) -> tuple[int, bytes]:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {endpoint.api_key}"}
    async with (
        asyncio.timeout(SECONDS),
        open_session(unchecked_socket) as session,
        session.post(
            f"{endpoint.base_url}/chat/completions/render", data=body, headers=headers
        ) as response,
    ):
        return response.status, await read_capped(response, MOST_BYTES)


def _document(answer: bytes) -> dict[str, Any]:
    try:
        told = msgspec.json.decode(answer)
    except msgspec.DecodeError:
        return {}
    return told if isinstance(told, dict) else {}
