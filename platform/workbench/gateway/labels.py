"""What a call is filed under: our headers, those of other gateways, and the body's own words.

Ours win over the others', and both over the body. One of ours that makes no sense is refused, so
that a mistake shows on the first call; one of another product's is kept as a tag as it came.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from workbench.gateway.answers import Refusal
from workbench.gateway.intake import Head

Headers = Mapping[bytes, bytes]

LONGEST_LABEL = 1000
PREFIXES = (b"x-stillhouse-", b"helicone-", b"x-portkey-", b"x-litellm-", b"op-")
OWN = b"x-stillhouse-"
PROPERTY = b"helicone-property-"
TRACEPARENT = b"traceparent"
_traceparent = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
_PORTKEY = {"_user": "user", "_environment": "environment", "_prompt": "prompt_name"}


@dataclass(frozen=True, slots=True)
class Labels:
    """What a call is filed under; `is_kept` is False when the caller wants no log entry."""

    tags: Mapping[str, str] = field(default_factory=dict)
    prompt_name: str | None = None
    prompt_version: int | None = None
    variables: bytes | None = None
    user: str | None = None
    session: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    parent_id: str | None = None
    environment: str | None = None
    release: str | None = None
    is_kept: bool = True


def read_labels(headers: Headers, head: Head) -> Labels:
    """What the headers, and after them the body, say about the call.

    Raises:
        Refusal: a header of ours does not make sense.
    """
    found: dict[str, Any] = {}
    tags: dict[str, str] = {}
    if head.metadata is not None or head.user is not None or head.safety_identifier is not None:
        _add_body(found, tags, head)
    said = [name for name in headers if name.startswith(PREFIXES) or name == TRACEPARENT]
    for name in sorted(said, key=_rank):
        reader = _READERS.get(name)
        if reader is not None:
            reader(found, tags, headers[name])
        elif name.startswith(PROPERTY):
            tags[_text(name[len(PROPERTY) :])] = _text(headers[name])
    return Labels(tags=tags, **found)


def _rank(name: bytes) -> tuple[bool, bool, bytes]:
    """Later ones win: the trace context of the network, other products' headers, ours."""
    return name.startswith(OWN), name != TRACEPARENT, name


def _add_body(found: dict[str, Any], tags: dict[str, str], head: Head) -> None:
    """OpenAI's `user` and flat `metadata`, Anthropic's `metadata.user_id`."""
    metadata = head.metadata if isinstance(head.metadata, dict) else {}
    texts = {name: text for name, text in metadata.items() if isinstance(text, str)}
    users = (head.user, head.safety_identifier, texts.pop("user_id", None))
    user = next((one for one in users if isinstance(one, str) and one), None)
    if user is not None:
        found["user"] = user
    tags.update(texts)


Reader = Callable[[dict[str, Any], dict[str, str], bytes], None]


def _field(name: str) -> Reader:
    """A header that holds one label."""

    def read(found: dict[str, Any], tags: dict[str, str], header: bytes) -> None:
        text = _text(header)[:LONGEST_LABEL]
        if text:
            found[name] = text

    return read


def _read_tags(found: dict[str, Any], tags: dict[str, str], header: bytes) -> None:
    tags.update(_flat(_own_object(header, "x-stillhouse-tags")))


def _read_prompt(found: dict[str, Any], tags: dict[str, str], header: bytes) -> None:
    """`name`, `name@3`, or an object with `name`, `version` and `variables`."""
    if not header.lstrip().startswith(b"{"):
        name, _, version = _text(header).strip().partition("@")
        prompt: dict[str, Any] = {"name": name, "version": version}
    else:
        prompt = _own_object(header, "x-stillhouse-prompt")
    variables = prompt.get("variables")
    found["prompt_name"] = str(prompt.get("name") or "")[:LONGEST_LABEL] or None
    found["prompt_version"] = _version(str(prompt.get("version") or ""))
    if variables:
        found["variables"] = json.dumps(variables, ensure_ascii=False).encode("utf-8", "replace")


def _read_trace(found: dict[str, Any], tags: dict[str, str], header: bytes) -> None:
    """An id of yours, or the W3C form, whose span is then the parent."""
    if _traceparent.fullmatch(_text(header).strip()):
        _read_traceparent(found, tags, header)
    else:
        _field("trace_id")(found, tags, header)


def _read_traceparent(found: dict[str, Any], tags: dict[str, str], header: bytes) -> None:
    parts = _traceparent.fullmatch(_text(header).strip())
    if parts is not None:
        found["trace_id"], found["parent_id"] = parts.groups()


def _read_log(found: dict[str, Any], tags: dict[str, str], header: bytes) -> None:
    word = header.strip().lower()
    if word not in {b"yes", b"no", b"true", b"false"}:
        raise _odd("x-stillhouse-log", "yes or no")
    found["is_kept"] = word in {b"yes", b"true"}


def _read_op_log(found: dict[str, Any], tags: dict[str, str], header: bytes) -> None:
    """OpenPipe's switch: `false` asks that the call is not logged."""
    found["is_kept"] = header.strip().lower() not in {b"false", b"0", b"no"}


def _foreign_object(name: str) -> Reader:
    """Another product's header with a JSON object of tags."""

    def read(found: dict[str, Any], tags: dict[str, str], header: bytes) -> None:
        loaded = _loaded(header)
        tags.update(_flat(loaded) if isinstance(loaded, dict) else {name: _text(header)})

    return read


def _read_portkey(found: dict[str, Any], tags: dict[str, str], header: bytes) -> None:
    loaded = _loaded(header)
    if not isinstance(loaded, dict):
        tags["x-portkey-metadata"] = _text(header)
        return
    flat = _flat(loaded)
    found.update({_PORTKEY[name]: flat.pop(name) for name in _PORTKEY if flat.get(name)})
    tags.update(flat)


def _read_litellm_tags(found: dict[str, Any], tags: dict[str, str], header: bytes) -> None:
    """Words between commas; one with a colon is a name and a value."""
    for word in _text(header).split(","):
        name, _, value = word.strip().partition(":")
        if name:
            tags[name] = value.strip() or "true"


_READERS: dict[bytes, Reader] = {
    b"x-stillhouse-tags": _read_tags,
    b"x-stillhouse-prompt": _read_prompt,
    b"x-stillhouse-user": _field("user"),
    b"x-stillhouse-session": _field("session"),
    b"x-stillhouse-trace": _read_trace,
    b"x-stillhouse-span": _field("span_id"),
    b"x-stillhouse-parent": _field("parent_id"),
    b"x-stillhouse-environment": _field("environment"),
    b"x-stillhouse-release": _field("release"),
    b"x-stillhouse-log": _read_log,
    b"traceparent": _read_traceparent,
    b"op-tags": _foreign_object("op-tags"),
    b"op-log-request": _read_op_log,
    b"x-litellm-tags": _read_litellm_tags,
    b"x-litellm-spend-logs-metadata": _foreign_object("x-litellm-spend-logs-metadata"),
    b"x-litellm-end-user-id": _field("user"),
    b"x-litellm-session-id": _field("session"),
    b"x-litellm-trace-id": _field("trace_id"),
    b"helicone-user-id": _field("user"),
    b"helicone-session-id": _field("session"),
    b"helicone-prompt-id": _field("prompt_name"),
    b"x-portkey-metadata": _read_portkey,
    b"x-portkey-trace-id": _field("trace_id"),
}


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _flat(loaded: dict[str, Any]) -> dict[str, str]:
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in loaded.items()
    }


def _version(text: str) -> int | None:
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise _odd("x-stillhouse-prompt", "name@3 or a JSON object")
    return int(text)


def _own_object(header: bytes, name: str) -> dict[str, Any]:
    loaded = _loaded(header)
    if not isinstance(loaded, dict):
        raise Refusal(400, "invalid_header", f"{name} must hold a JSON object.")
    return loaded


def _loaded(header: bytes) -> Any:
    try:
        return json.loads(_text(header))
    except (ValueError, RecursionError):
        return None


def _odd(name: str, wanted: str) -> Refusal:
    return Refusal(400, "invalid_header", f"Write {name} as {wanted}.")
