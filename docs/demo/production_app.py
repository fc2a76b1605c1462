"""A production app, as far as Stillhouse can tell: it asks a model about place names.

Nothing here knows the server. Most calls go through the gateway with the ordinary `openai` client
(the two changed lines are `base_url` and `api_key`); the rest go straight to the provider and are
logged by the SDK. Each answer is printed nowhere; each finished call prints one line of progress.

    python docs/demo/production_app.py --names names.txt --calls 3000 --sdk-calls 300 \\
        --gateway http://127.0.0.1:8400 --provider http://127.0.0.1:9000/v1 \\
        --provider-key provider.key --provider-model capital-letter-teacher \\
        --api-key sh_… --model capital-letter-teacher@production --run 2026-01-01
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import openai

import stillhouse

PROMPT_NAME = "capital-letter"
AT_ONCE = 48
SDK_THREADS = 4
REPORT_EVERY = 100


class Progress:
    """Counts finished calls and says so now and then, one JSON object a line."""

    def __init__(self) -> None:
        self.sent = 0
        self.failed = 0
        self.started = time.perf_counter()

    def count(self, *, failed: bool = False) -> None:
        self.sent += 1
        self.failed += failed
        if self.sent % REPORT_EVERY == 0:
            self.say()

    def say(self) -> None:
        seconds = time.perf_counter() - self.started
        line = {"sent": self.sent, "failed": self.failed, "seconds": round(seconds, 2)}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def messages_for(name: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": f"What is the capital of {name}"}]


async def ask_through_gateway(
    names: list[str], options: argparse.Namespace, progress: Progress
) -> None:
    """The two-line way: the gateway logs every call."""
    client: Any = openai.AsyncOpenAI(base_url=f"{options.gateway}/v1", api_key=options.api_key)
    free = asyncio.Semaphore(AT_ONCE)

    async def ask(name: str) -> None:
        async with free:
            try:
                await client.chat.completions.create(
                    model=options.model,
                    messages=messages_for(name),
                    temperature=0,
                    max_tokens=8,
                    extra_headers=_headers(name, options.run),
                )
            except openai.OpenAIError:
                progress.count(failed=True)
            else:
                progress.count()

    async with client:
        await asyncio.gather(*(ask(name) for name in names))


def ask_with_sdk(names: list[str], options: argparse.Namespace, progress: Progress) -> None:
    """The other way: the call goes to the provider, the SDK logs it in the background."""
    log = stillhouse.Client(options.api_key, options.gateway, environment="production")
    provider_key = options.provider_key.read_text(encoding="ascii").strip()
    provider = openai.OpenAI(base_url=options.provider, api_key=provider_key)
    client: Any = stillhouse.wrap(provider, client=log)  # create() takes one keyword more now

    def ask(name: str) -> None:
        try:
            client.chat.completions.create(
                model=options.provider_model,
                messages=messages_for(name),
                temperature=0,
                max_tokens=8,
                stillhouse={
                    "prompt": {"name": PROMPT_NAME, "version": 1, "variables": {"place": name}},
                    "tags": _tags(options.run),
                },
            )
        except openai.OpenAIError:
            progress.count(failed=True)
        else:
            progress.count()

    with ThreadPoolExecutor(SDK_THREADS) as threads:
        list(threads.map(ask, names))
    log.close(30)


def _tags(run: str) -> dict[str, str]:
    return {"app": "atlas", "demo_run": run}


def _headers(name: str, run: str) -> dict[str, str]:
    prompt = {"name": PROMPT_NAME, "version": 1, "variables": {"place": name}}
    return {
        "x-stillhouse-tags": json.dumps(_tags(run)),
        "x-stillhouse-prompt": json.dumps(prompt),
        "x-stillhouse-environment": "production",
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--names", type=Path, required=True, help="a file with a name a line")
    parser.add_argument("--sdk-calls", type=int, default=0)
    parser.add_argument("--gateway", required=True)
    parser.add_argument("--provider", required=True)
    parser.add_argument("--provider-model", required=True)
    parser.add_argument(
        "--provider-key", type=Path, required=True, help="a file with the provider's API key"
    )
    parser.add_argument("--api-key", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--run", required=True, help="a tag that marks the calls of this run")
    options = parser.parse_args()
    names = options.names.read_text(encoding="utf-8").splitlines()
    progress = Progress()
    asyncio.run(ask_through_gateway(names[options.sdk_calls :], options, progress))
    ask_with_sdk(names[: options.sdk_calls], options, progress)
    progress.say()
    return 1 if progress.failed else 0


if __name__ == "__main__":
    sys.exit(main())
