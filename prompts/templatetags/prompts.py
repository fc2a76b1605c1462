"""Prompts in templates: variables marked, shares in words."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from django import template
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

from prompts.names import in_words

register = template.Library()
# Each alternative stops at its own sign, so that no text takes longer than its length.
_TAGS = re.compile(r"\\\{\{|\{\{[^{}]*\}\}|\{%[^%]*%\}|\{#[^#]*#\}")


@register.filter
def marked(text: object) -> SafeString:
    """A template as text, with its variables and statements marked."""
    whole = str(text)
    parts: list[str] = []
    end = 0
    for found in _TAGS.finditer(whole):
        parts.append(escape(whole[end : found.start()]))
        plain = found[0].startswith("\\")
        parts.append(escape(found[0]) if plain else format_html("<mark>{}</mark>", found[0]))
        end = found.end()
    parts.append(escape(whole[end:]))
    return mark_safe("".join(parts))  # noqa: S308  every part was escaped above


@register.filter
def message_text(message: Mapping[str, Any]) -> str:
    """What a message says: its text, or its parts and calls as JSON."""
    content = message.get("content")
    rest = {key: value for key, value in message.items() if key not in ("role", "content")}
    texts = [content] if isinstance(content, str) else []
    if content is not None and not isinstance(content, str):
        texts.append(json.dumps(content, ensure_ascii=False, indent=2))
    if rest:
        texts.append(json.dumps(rest, ensure_ascii=False, indent=2))
    return "\n".join(texts)


register.filter("in_words", in_words)


@register.filter
def folders(name: str) -> list[tuple[str, str]]:
    """The folders a prompt lies in: name and path of each, outermost first."""
    parts = name.split("/")[:-1]
    return [(part, "/".join(parts[: n + 1])) for n, part in enumerate(parts)]
