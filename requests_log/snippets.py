r"""A logged request as a command and as a program that send it again, byte for byte.

The key is a variable of the environment: none is stored with a request, so none can leak here.
The body is quoted for bash: what `bash -c` passes on is exactly what was logged.
"""

from __future__ import annotations

import json
import keyword
import math
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from requests_log.models import Facts, Operation

MOST_ARGUMENT = 100_000
"""Bytes; Linux takes 128 KiB in one argument, so a longer body goes through a pipe."""
MOST_SHOWN = 1_000_000
"""Bytes of a body that is written into a snippet; a longer one is read from its file."""
_INDENT = "    "
_controls = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
_COMMON = "model stream temperature top_p user"
_SAMPLING = "frequency_penalty logit_bias logprobs max_tokens n presence_penalty seed stop"
_PATHS = {
    Operation.CHAT: ("/chat/completions", "chat.completions.create"),
    Operation.COMPLETION: ("/completions", "completions.create"),
    Operation.RESPONSES: ("/responses", "responses.create"),
    Operation.EMBEDDING: ("/embeddings", "embeddings.create"),
}
# What every release of the clients takes by name; the rest travels as `extra_body`.
_NAMED = {
    "chat.completions.create": f"{_COMMON} {_SAMPLING} max_completion_tokens messages metadata "
    "parallel_tool_calls response_format service_tier stream_options tool_choice tools "
    "top_logprobs",
    "completions.create": f"{_COMMON} {_SAMPLING} best_of echo prompt suffix",
    "responses.create": f"{_COMMON} include input instructions max_output_tokens metadata "
    "parallel_tool_calls previous_response_id reasoning store text tool_choice tools truncation",
    "embeddings.create": "model input dimensions encoding_format user",
    "messages.create": "model max_tokens messages metadata stop_sequences stream system "
    "temperature thinking tool_choice tools top_k top_p",
}


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes, and which variable holds the key."""

    url: str
    method: str
    key: str
    client: str
    base_url: str = ""

    @property
    def headers(self) -> list[str]:
        """Headers as bash reads them in double quotes."""
        if self.client == "Anthropic":
            return [f"x-api-key: ${self.key}", "anthropic-version: 2023-06-01"]
        return [f"Authorization: Bearer ${self.key}"]


def target_of(facts: Facts, *, public_url: str) -> Target:
    """Where the request went; what came through the gateway, or nobody knows, goes through it."""
    through_gateway = facts.source == "gateway"
    if facts.provider == "anthropic" and facts.operation == Operation.CHAT:
        own = "" if not through_gateway else public_url
        key = "STILLHOUSE_API_KEY" if through_gateway else "ANTHROPIC_API_KEY"
        base = own or "https://api.anthropic.com"
        return Target(f"{base}/v1/messages", "messages.create", key, "Anthropic", own)
    path, method = _PATHS[Operation(facts.operation)]
    if facts.provider == "openai" and not through_gateway:
        return Target(f"https://api.openai.com/v1{path}", method, "OPENAI_API_KEY", "OpenAI")
    base = f"{public_url}/v1"
    return Target(f"{base}{path}", method, "STILLHOUSE_API_KEY", "OpenAI", base)


def as_curl(body: bytes, target: Target, *, file: str = "request.json") -> str:
    """A bash command that sends exactly this body; `file` is named where the body is too long."""
    lines = [f"curl {shlex.quote(target.url)}"]
    lines += [f'-H "{header}"' for header in target.headers]
    lines.append("-H 'Content-Type: application/json'")
    if len(body) > MOST_SHOWN:
        return _joined([*lines, f"--data-binary @{shlex.quote(file)}"])
    if b"\x00" in body:
        return f"printf {_format(body)} | " + _joined([*lines, "--data-binary @-"])
    if len(body) > MOST_ARGUMENT:
        return f"printf %s {quoted(body)} | " + _joined([*lines, "--data-binary @-"])
    return _joined([*lines, f"--data-raw {quoted(body)}"])


def as_python(body: bytes, target: Target) -> str | None:
    """A program with the provider's client, or None when the body is no JSON object."""
    if len(body) > MOST_SHOWN:
        return None
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(asked, dict):
        return None
    module = target.client.lower()
    lines = [f"from {module} import {target.client}", "", *_client(target), ""]
    lines += [f"answer = client.{target.method}(", *_arguments(asked, target.method), ")"]
    if asked.get("stream") is True:
        lines += ["for event in answer:", f"{_INDENT}print(event)"]
    else:
        lines.append("print(answer)")
    return "\n".join(lines)


def quoted(raw: bytes) -> str:
    """Bytes without NUL as one word of bash."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return f"$'{''.join(map(_escaped_byte, raw))}'"
    if _controls.search(text):
        return f"$'{''.join(map(_escaped, text))}'"
    return shlex.quote(text)


def _joined(lines: list[str]) -> str:
    return " \\\n  ".join(lines)


def _escaped(character: str) -> str:
    if character in "\\'":
        return f"\\{character}"
    code = ord(character)
    # "!" would call up the history of an interactive shell.
    return f"\\{code:03o}" if code < 32 or code == 127 or character == "!" else character


def _escaped_byte(code: int) -> str:
    return _escaped(chr(code)) if code < 128 else f"\\{code:03o}"


def _format(raw: bytes) -> str:
    """Any bytes as the format of bash's printf, which also writes NULs."""
    plain = (
        chr(code) if 32 <= code < 127 and chr(code) not in "\\%'!" else f"\\{code:03o}"
        for code in raw
    )
    return f"'{''.join(plain)}'"


def _client(target: Target) -> list[str]:
    if not target.base_url:
        return [f"client = {target.client}()  # reads {target.key} from the environment"]
    return [
        "import os",
        "",
        f"client = {target.client}(",
        f'{_INDENT}base_url="{target.base_url}", api_key=os.environ["{target.key}"]',
        ")",
    ]


def _arguments(asked: dict[str, Any], method: str) -> Iterator[str]:
    named = set(_NAMED[method].split())
    for name, value in asked.items():
        if name in named and not keyword.iskeyword(name):
            yield f"{_INDENT}{name}={literal(value, 1)},"
    rest = {name: value for name, value in asked.items() if name not in named}
    if rest:
        yield f"{_INDENT}extra_body={literal(rest, 1)},"


def literal(value: Any, depth: int = 0) -> str:
    """A JSON value as Python writes it, one entry a line where it does not fit on one."""
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if not isinstance(value, dict | list) or not value:
        return repr(value)
    if isinstance(value, dict):
        entries = [f"{name!r}: {literal(inner, depth + 1)}" for name, inner in value.items()]
        opening, closing = "{", "}"
    else:
        entries = [literal(inner, depth + 1) for inner in value]
        opening, closing = "[", "]"
    line = opening + ", ".join(entries) + closing
    if len(line) <= 60 and "\n" not in line:
        return line
    inside = "".join(f"{_INDENT * (depth + 1)}{entry},\n" for entry in entries)
    return f"{opening}\n{inside}{_INDENT * depth}{closing}"
