"""Redacting calls, spans and scores: which policy place covers which of their fields.

Fails closed: a part that cannot be redacted is withheld, and what is left says so. Nothing here
raises, because a caller must never hear of it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from msgspec import structs

from requests_log.calls import Call, Item, Score, Span
from requests_log.redaction.engine import Withheld, Work, redacted_body, redacted_text
from requests_log.redaction.rules import Place, Replacement, Ruleset

logger = logging.getLogger(__name__)

T = TypeVar("T")
AnyItem = TypeVar("AnyItem", bound=Item)
WITHHELD_BODY = b'{"withheld":"This content could not be redacted and was not kept."}'
WITHHELD_TEXT = "[WITHHELD]"
DROPPED_TEXT = "-"
FAILED = "redaction failed"
_plain_id = re.compile(r"[0-9A-Fa-f-]{8,64}")

BODIES: dict[type, dict[str, Place]] = {
    Call: {
        "request": Place.REQUEST,
        "response": Place.RESPONSE,
        "variables": Place.VARIABLES,
    },
    Span: {
        "input": Place.SPAN_INPUT,
        "output": Place.SPAN_OUTPUT,
        "attributes": Place.SPAN_ATTRIBUTES,
    },
    Score: {},
}
_OF_BOTH = {
    "end_user": Place.USER,
    "session": Place.SESSION,
    "error_message": Place.ERRORS,
    "error_type": Place.ERRORS,
    "prompt_name": Place.NAMES,
    "environment": Place.NAMES,
    "release": Place.NAMES,
    "source": Place.NAMES,
}
TEXTS: dict[type, dict[str, Place]] = {
    Call: {**_OF_BOTH, "provider": Place.NAMES, "model": Place.NAMES},
    Span: {**_OF_BOTH, "name": Place.NAMES},
    Score: {
        "comment": Place.COMMENTS,
        "value": Place.COMMENTS,
        "name": Place.NAMES,
        "author": Place.NAMES,
    },
}
IDS: dict[type, tuple[str, ...]] = {
    Call: ("trace_id", "span_id", "parent_id"),
    Span: ("trace_id", "span_id", "parent_id"),
    Score: ("trace_id",),
}


@dataclass(slots=True)
class _Parts:
    """The changed fields of one item, and why some were withheld."""

    work: Work
    changed: dict[str, Any] = field(default_factory=dict)
    withheld: list[str] = field(default_factory=list)

    def put(self, name: str, value: T, redact: Callable[[T], T], marker: T) -> None:
        """Redact one field, or withhold it."""
        try:
            done = redact(value)
        except Withheld as problem:
            self.changed[name] = marker
            self.withheld.append(str(problem))
        except Exception as problem:
            logger.warning("Content was withheld", extra={"problem": type(problem).__name__})
            self.changed[name] = marker
            self.withheld.append(FAILED)
        else:
            if done is not value:
                self.changed[name] = done


def redacted(item: AnyItem, ruleset: Ruleset) -> tuple[AnyItem, list[str]]:
    """The item as it may be stored, and a reason for each part that was withheld."""
    parts = _Parts(Work(ruleset))
    kind = type(item)
    for name, place in BODIES[kind].items():
        raw = getattr(item, name)
        if raw is not None and place in ruleset.places:
            parts.put(name, raw, lambda value: redacted_body(value, parts.work), WITHHELD_BODY)
    for name, place in TEXTS[kind].items():
        text = getattr(item, name)
        if isinstance(text, str) and place in ruleset.places:
            parts.put(name, text, lambda value: _text(value, parts.work), WITHHELD_TEXT)
    _ids(item, kind, parts)
    if not isinstance(item, Score) and item.tags and Place.TAGS in ruleset.places:
        parts.put("tags", item.tags, lambda tags: _tags(tags, parts.work), _NO_TAGS)
    return structs.replace(item, redaction=ruleset.number, **parts.changed), parts.withheld


def withheld(item: AnyItem, *, number: int = 0) -> AnyItem:
    """The item without any content: a policy applies, and it cannot be applied."""
    kind = type(item)
    gone: dict[str, Any] = {
        name: WITHHELD_BODY for name in BODIES[kind] if getattr(item, name) is not None
    }
    gone |= {name: WITHHELD_TEXT for name in TEXTS[kind] if isinstance(getattr(item, name), str)}
    for name in IDS[kind]:
        if getattr(item, name) is not None and not _plain_id.fullmatch(getattr(item, name)):
            gone[name] = WITHHELD_TEXT
    if not isinstance(item, Score) and item.tags:
        gone["tags"] = _NO_TAGS
    return structs.replace(item, redaction=number, **gone)


_NO_TAGS = {"withheld": WITHHELD_TEXT}


def _text(text: str, work: Work) -> str:
    """Never empty, because a name or a value must not be."""
    return redacted_text(text, work) or (text and DROPPED_TEXT)


def _ids(item: Item, kind: type, parts: _Parts) -> None:
    """Ids of traces that are not plain ids; by a hash, so that a trace stays together."""
    if Place.NAMES not in parts.work.ruleset.places:
        return
    for name in IDS[kind]:
        text = getattr(item, name)
        if text is not None and not _plain_id.fullmatch(text):
            parts.put(
                name,
                text,
                lambda value: redacted_text(value, parts.work, force=Replacement.HASH),
                WITHHELD_TEXT,
            )


def _tags(tags: Any, work: Work) -> Any:
    done = {}
    for name, value in tags.items():
        kept = redacted_text(name, work) if work.ruleset.keys else name
        if kept:
            done[kept] = redacted_text(value, work)
    return tags if done == tags else done
