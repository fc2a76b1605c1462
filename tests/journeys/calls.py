"""The calls an app makes while it is in production."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import openai

from finetunes.nano.worked_example import question

AT_ONCE = 16
PATIENCE = 180.0


async def _ask_all(url: str, key: str, model: str, names: Sequence[str]) -> list[str]:
    client: Any = openai.AsyncOpenAI(
        base_url=f"{url}/v1", api_key=key, timeout=PATIENCE, max_retries=5
    )
    free = asyncio.Semaphore(AT_ONCE)
    headers = {
        "x-stillhouse-tags": json.dumps({"app": "atlas"}),
        "x-stillhouse-prompt": json.dumps({"name": "capital-letter", "version": 1}),
    }

    async def ask(name: str) -> str:
        async with free:
            reply = await client.chat.completions.create(
                model=model,
                messages=[{"role": "user", "content": question(name)}],
                temperature=0,
                max_tokens=8,
                extra_headers=headers,
            )
            return str(reply.choices[0].message.content)

    async with client:
        return list(await asyncio.gather(*(ask(name) for name in names)))


def ask_all(url: str, key: str, model: str, names: Sequence[str]) -> list[str]:
    """Ask about every name through the gateway, several at once; the answers in order."""
    return asyncio.run(_ask_all(url, key, model, names))


def ask_streaming(url: str, key: str, model: str, name: str) -> list[str]:
    """One question, its answer piece by piece."""
    client: Any = openai.OpenAI(base_url=f"{url}/v1", api_key=key, timeout=PATIENCE, max_retries=5)
    with client:
        chunks = client.chat.completions.create(
            model=model,
            messages=[{"role": "user", "content": question(name)}],
            temperature=0,
            max_tokens=8,
            stream=True,
        )
        return [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
