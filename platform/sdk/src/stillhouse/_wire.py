"""Events: frozen on the host's thread, written as the JSON of `POST /api/v1/ingest` on ours.

A frozen event is a `marshal` blob or a flat copy. `marshal` is one C call, and the cheapest copy of
an event of a few kilobytes; a flat copy is the cheaper one of long texts, and where `marshal`'s
blindness for types would need a check beside it. A call that `Client.log` was given is frozen as
the values of `CALL` in their order, any other event with its names.
"""

from __future__ import annotations

import json
import marshal
import sys
import time
from typing import Any, Mapping, Sequence

from stillhouse._flat import Frozen, flatten, rebuild
from stillhouse._marks import prompt_in, unmarked
from stillhouse._masking import MaskRunner
from stillhouse._snapshot import (
    MAX_EVENT_BYTES,
    dump,
    fit,
    marker,
    marshalled,
    plain,
    snapshot,
    snapshot_json,
)

# What the provider, the model or the program said, by type of event: kept as it is, and masked.
CONTENTS = {"request": ("request", "response"), "span": ("input", "output", "attributes")}
FROZEN = "$frozen"
FACTS = (
    "operation",
    "provider",
    "model",
    "status",
    "http_status",
    "error",
    "duration_ms",
    "ttft_ms",
    "tags",
    "prompt",
    "user",
    "session",
    "request",
    "response",
)
CALL = ("id", "trace", "started_at", "logged_ns", *FACTS)
FLAT_ROOM = MAX_EVENT_BYTES // 2  # UTF-8 takes at most twice what a long text takes in memory
LONG_BYTES = 16 * 1024  # from here on, to copy texts costs more than to look at every value


def freeze(event: dict[str, Any]) -> Frozen:
    """Copy an event so that nothing the host does later changes it; at most `MAX_EVENT_BYTES`.

    A content is a JSON value, or bytes that are its JSON text. Contents that were copied before the
    event was complete are `snapshot` blobs by name under `FROZEN`.
    """
    flat = flatten(event, room=FLAT_ROOM)
    if flat is not None:
        return flat
    blob = marshalled(event)
    if blob is None:
        event = {name: _marshallable(value) for name, value in event.items()}
        blob = marshal.dumps(event)
    return blob if len(blob) <= MAX_EVENT_BYTES else _cut(event)


class CallFreezer:
    """`freeze` for the values of `CALL`, in the way that would have been best for the last ones."""

    def __init__(self) -> None:
        self._share = False

    def freeze(self, values: tuple[Any, ...]) -> Frozen:
        """The copy of one call."""
        if not self._share and "numpy" not in sys.modules:
            try:
                blob = marshal.dumps(values)
            except (ValueError, RecursionError):
                return freeze(_told(_named(values)))
            self._share = len(blob) > LONG_BYTES
            return blob if len(blob) <= MAX_EVENT_BYTES else freeze(_named(values))
        flat = flatten(values, room=FLAT_ROOM)
        self._share = flat is not None and flat[0] > LONG_BYTES
        return flat or freeze(_told(_named(values)))


def _told(call: dict[str, Any]) -> dict[str, Any]:
    """A call with the prompt that its request's texts were made from, when they were."""
    made_from = prompt_in(call["request"])
    if made_from is None:
        return call
    prompt = call["prompt"] or made_from
    return {**call, "request": unmarked(call["request"]), "prompt": prompt}


def thaw(frozen: Frozen) -> dict[str, Any]:
    """The event that was frozen."""
    thawed = marshal.loads(frozen) if isinstance(frozen, bytes) else rebuild(frozen)  # noqa: S302
    return thawed if isinstance(thawed, dict) else _named(thawed)


def encode(frozen: Frozen, static: Mapping[str, object], masks: MaskRunner | None) -> bytes:
    """The JSON of one event, at most `MAX_EVENT_BYTES`."""
    event = thaw(frozen)
    contents = _contents(event)
    facts = {**_wire_facts(event), **static}
    if masks is not None:
        facts, contents = masks.run(facts, contents)
    for _ in range(2):
        head = dump(facts)[:-1]
        if len(head) + sum(map(len, contents.values())) < MAX_EVENT_BYTES - 64:
            break
        room = MAX_EVENT_BYTES // 2 // max(len(contents), 1)
        contents = {name: _shortened(text, room) for name, text in contents.items()}
    return head + b"".join(_member(name, text) for name, text in contents.items()) + b"}"


def _named(values: Sequence[Any]) -> dict[str, Any]:
    return {"type": "request", **dict(zip(CALL, values))}  # noqa: B905 - Python 3.9


def _member(name: str, text: bytes) -> bytes:
    return b',"' + name.encode() + b'":' + text


def _marshallable(value: Any) -> Any:
    return value if marshalled(value) is not None else model_json(value) or plain(value)


def model_json(value: Any) -> bytes | None:
    """A pydantic object as the JSON text it came from, or None when it is none or cannot be."""
    write = getattr(value, "model_dump_json", None)
    if not callable(write):
        return None
    try:
        try:
            text: str = write(exclude_unset=True, warnings=False)
        except (TypeError, ValueError):  # pydantic 1 behind the client's own compatibility layer
            text = write(exclude_unset=True)
        return text.encode()
    except Exception:
        return None


def _cut(event: dict[str, Any]) -> bytes:
    """The event with its large fields cut down to their heads and tails."""
    names = CONTENTS.get(event["type"], ())
    room = MAX_EVENT_BYTES // 2
    short: dict[str, Any] = {}
    for name, value in event.items():
        if name == FROZEN:
            short[name] = {key: _cut_blob(blob, room) for key, blob in value.items()}
        elif name in names and isinstance(value, bytes):
            short[name] = snapshot_json(value, room=room)
        else:
            limit = room if name in names else room // 8
            short[name] = marshal.loads(snapshot(value, room=limit))  # noqa: S302 - our own bytes
    return marshal.dumps(short)


def _cut_blob(blob: bytes, room: int) -> bytes:
    return blob if len(blob) <= room else snapshot(marshal.loads(blob), room=room)  # noqa: S302


def _contents(event: dict[str, Any]) -> dict[str, bytes]:
    """The JSON texts of what is content; taken out of the event."""
    frozen = event.pop(FROZEN, {})
    texts = {}
    for name in CONTENTS.get(event["type"], ()):
        value = event.pop(name, None)
        if name in frozen:
            texts[name] = dump(marshal.loads(frozen[name]))  # noqa: S302 - our own bytes
        elif isinstance(value, bytes):
            texts[name] = _checked(value)
        elif value is not None:
            texts[name] = dump(value)
    return texts


def _checked(text: bytes) -> bytes:
    try:
        json.loads(text)
    except ValueError:
        return dump(marker("not_json", text=text.decode("utf-8", "replace")))
    return text


def _shortened(text: bytes, room: int) -> bytes:
    return text if len(text) <= room else fit(json.loads(text), dump, room)


def _wire_facts(event: dict[str, Any]) -> dict[str, Any]:
    facts = {name: value for name, value in event.items() if value is not None}
    now = facts.pop("logged_ns", None)
    if now is not None:  # the start follows from the end, which is when it was logged
        facts.setdefault("started_at", now / 1e9 - (facts.get("duration_ms") or 0.0) / 1000)
    for name in ("started_at", "at"):
        if name in facts:
            facts[name] = _rfc3339(facts[name])
    if isinstance(facts.get("tags"), dict):
        facts["tags"] = {str(key): _tag_text(value) for key, value in facts["tags"].items()}
    return facts


def _rfc3339(epoch: float) -> str:
    seconds, micros = divmod(round(epoch * 1_000_000), 1_000_000)
    return time.strftime(f"%Y-%m-%dT%H:%M:%S.{micros:06d}Z", time.gmtime(seconds))


def _tag_text(value: object) -> str:
    return value if isinstance(value, str) else dump(value).decode()
