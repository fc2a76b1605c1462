"""What the gateway speaks: the paths below `/v1`, and how each names errors and streams."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from workbench.gateway.assembly import chat, messages, responses
from workbench.gateway.assembly.sse import Assembled

Envelope = Callable[[str, str, str | None, str, int], dict[str, Any]]

ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
}


def openai_error(
    message: str, kind: str, param: str | None, code: str, status: int
) -> dict[str, Any]:
    """OpenAI's error envelope."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def anthropic_error(
    message: str, kind: str, param: str | None, code: str, status: int
) -> dict[str, Any]:
    """Anthropic's error envelope; `code` is an addition of ours."""
    kind = ANTHROPIC_TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
    return {"type": "error", "error": {"type": kind, "message": message, "code": code}}


def responses_error(
    message: str, kind: str, param: str | None, code: str, status: int
) -> dict[str, Any]:
    """The `error` event of a Responses stream, with the envelope its clients look for."""
    envelope = openai_error(message, kind, param, code, status)
    return {"type": "error", "code": code, "message": message, "param": param, **envelope}


@dataclass(frozen=True, slots=True)
class Dialect:
    """One kind of call.

    `path` is that below `/v1`, here and at the provider; `operation` what the log calls it;
    `event_name` the name that an error inside a stream goes under, if it needs one.
    """

    path: str
    operation: str
    assemble: Callable[[bytes], Assembled]
    envelope: Envelope = openai_error
    stream_envelope: Envelope = openai_error
    event_name: bytes = b""

    def error_event(self, envelope: dict[str, Any]) -> bytes:
        """An error as an event of a stream."""
        name = b"event: " + self.event_name + b"\n" if self.event_name else b""
        return name + b"data: " + msgspec.json.encode(envelope) + b"\n\n"


CHAT = Dialect("/chat/completions", "chat", chat.assemble)
RESPONSES = Dialect(
    "/responses", "responses", responses.assemble, stream_envelope=responses_error,
    event_name=b"error",
)  # fmt: skip
COMPLETIONS = Dialect("/completions", "completion", chat.assemble)
EMBEDDINGS = Dialect("/embeddings", "embedding", chat.assemble)
MESSAGES = Dialect(
    "/messages", "chat", messages.assemble, envelope=anthropic_error,
    stream_envelope=anthropic_error, event_name=b"error",
)  # fmt: skip

DIALECTS = {
    dialect.path: dialect for dialect in (CHAT, RESPONSES, COMPLETIONS, EMBEDDINGS, MESSAGES)
}


def envelope_at(path: str) -> Envelope:
    """How errors are said on a path below `/v1`, also on one that is not served."""
    return anthropic_error if path.startswith(MESSAGES.path) else openai_error
