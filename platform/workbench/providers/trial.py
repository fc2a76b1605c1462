"""One short call to a model, to see that it answers and how fast."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import aiohttp

from workbench.providers.chat import ChatCaller, ChatReply
from workbench.providers.failures import CallFailed
from workbench.providers.models import Connection
from workbench.providers.refs import Endpoint, endpoint_of, parse_ref
from workbench.providers.trouble import unreachable, without

SECONDS = 30.0
QUESTION = [{"role": "user", "content": "Say OK."}]
NEWER = "max_completion_tokens"
ENOUGH_TO_THINK = 16


@dataclass(frozen=True)
class Trial:
    """How it went: the milliseconds and tokens of an answer, or the `problem`."""

    model: str
    milliseconds: float = 0.0
    input_tokens: int | None = None
    output_tokens: int | None = None
    problem: str = ""


def try_model(connection: Connection, model: str) -> Trial:
    """Ask the model for one token.

    Raises:
        InvalidInput: no name that a model can have.
        SealBroken: the credential cannot be opened.
    """
    name = parse_ref(model.strip()).text
    endpoint = endpoint_of(connection, name)
    try:
        reply = asyncio.run(_ask(endpoint))
    except CallFailed as problem:
        return Trial(name, problem=without(_sentence(problem, endpoint), endpoint.api_key))
    return Trial(name, reply.milliseconds, reply.input_tokens, reply.output_tokens)


async def _ask(endpoint: Endpoint) -> ChatReply:
    """Newer models of OpenAI want the limit by another name, and some tokens to think."""
    async with ChatCaller(endpoint, seconds=SECONDS) as caller:
        try:
            return await caller.ask_once(QUESTION, max_tokens=1)
        except CallFailed as problem:
            if NEWER not in problem.words:
                raise
            return await caller.ask_once(QUESTION, **{NEWER: ENOUGH_TO_THINK})


def _sentence(problem: CallFailed, endpoint: Endpoint) -> str:
    """Without any answer the connection is at fault, not the call."""
    cause = problem.__cause__
    if isinstance(cause, OSError | aiohttp.ClientError):
        return unreachable(cause, endpoint.base_url, seconds=SECONDS)
    return problem.sentence
