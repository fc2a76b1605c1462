"""How a logged request links into the query language and reads as a conversation."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from django import template

from requests_log.models import LoggedRequest, LoggedScore
from requests_log.search import Term

register = template.Library()


@register.filter
def term(field: str, value: object) -> str:
    """The query that asks for a field's value."""
    return Term.of(field, str(value or "")).to_text()


@register.filter
def tag_query(name: str, value: str) -> str:
    """The query that asks for a tag's value."""
    return Term.of("tag", value, key=name).to_text()


@register.filter
def first_items(tags: dict[str, str], many: int) -> list[tuple[str, str]]:
    """The first few items of a mapping."""
    return list(tags.items())[:many]


@register.filter
def removal(name: str) -> str:
    """What the button that removes a tag sends, as JSON."""
    return json.dumps({"name": name, "remove": "1"})


@register.filter
def prompt_query(logged: LoggedRequest) -> str:
    """The query that asks for the request's prompt, with its version where it has one."""
    version = logged.prompt_version
    suffix = "" if version is None else f"@{version}"
    return Term.of("prompt", f"{logged.prompt_name}{suffix}").to_text()


@register.filter
def conversation(logged: LoggedRequest) -> list[dict[str, Any]]:
    """What was asked, and the answer as the last message."""
    return [*logged.messages, logged.output] if logged.output else logged.messages


@register.filter
def value_words(score: LoggedScore | str | None) -> str:
    """A score's value as people write it: 0.8, yes, a word. Nothing where there is no score."""
    value = score.value if isinstance(score, LoggedScore) else None
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.10g}" if isinstance(value, float) else value or ""


@register.filter
def own(given: dict[str, bool], who: str) -> bool | None:
    """What somebody gave, or None."""
    return given.get(who)


@register.filter
def with_query(address: str, query: str) -> str:
    """The address of a page that keeps the log's query."""
    return f"{address}?{urlencode({'q': query})}" if query else address
