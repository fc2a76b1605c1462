"""How a deployment calls a registered model: code to copy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

QUESTION = "Hello"


@dataclass(frozen=True)
class Snippet:
    """A way to call the model: its word in the URL, its name, a sentence about it, the code."""

    word: str
    name: str
    sentence: str
    text: str


def snippets_of(ref: str, *, origin: str) -> list[Snippet]:
    """The ways to call `ref` at the server whose address begins with `origin`."""
    return [
        Snippet(word, name, sentence, write(ref, origin)) for word, name, sentence, write in _WAYS
    ]


def _openai(ref: str, origin: str) -> str:
    return f"""import os
from openai import OpenAI

client = OpenAI(base_url="{origin}/v1", api_key=os.environ["STILLHOUSE_API_KEY"])
reply = client.chat.completions.create(
    model="{ref}",
    messages=[{{"role": "user", "content": "{QUESTION}"}}],
)
print(reply.choices[0].message.content)"""


def _sdk(ref: str, origin: str) -> str:
    return f"""import os
import stillhouse
from openai import OpenAI

# Reads STILLHOUSE_URL={origin} and STILLHOUSE_API_KEY.
found = stillhouse.Client().resolve_model("{ref}")
client = OpenAI(base_url=found.base_url, api_key=os.environ["STILLHOUSE_API_KEY"])
reply = client.chat.completions.create(
    model=found.model,
    messages=[{{"role": "user", "content": "{QUESTION}"}}],
)"""


def _curl(ref: str, origin: str) -> str:
    return f"""curl {origin}/v1/chat/completions \\
  -H "Authorization: Bearer $STILLHOUSE_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{{"model": "{ref}", "messages": [{{"role": "user", "content": "{QUESTION}"}}]}}'"""


_WAYS: list[tuple[str, str, str, Callable[[str, str], str]]] = [
    (
        "openai",
        "OpenAI client",
        "Any OpenAI client works: only the address and the model change. Every call is logged.",
        _openai,
    ),
    (
        "sdk",
        "SDK",
        "Looks the alias up, keeps the answer for a minute, and still answers from its cache "
        "while this server is away.",
        _sdk,
    ),
    ("curl", "curl", "The key needs the scope “gateway”.", _curl),
]
