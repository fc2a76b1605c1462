"""A query with its problems marked where they stand, as HTML."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from requests_log.search.tree import Problem


def underlined(text: str, problems: Sequence[Problem]) -> SafeString:
    """The text with every problem in a `<mark>`, exactly as long as the text itself."""
    parts: list[tuple[str, str]] = []
    end = 0
    for problem in sorted(problems, key=lambda one: one.span.start):
        if problem.span.start < end:
            continue
        parts.append((text[end : problem.span.start], text[problem.span.start : problem.span.end]))
        end = problem.span.end
    return format_html("{}{}", format_html_join("", "{}<mark>{}</mark>", parts), text[end:])


def marked(text: str, problems: Sequence[Problem]) -> SafeString:
    """The text with every problem underlined, then one sentence a problem; "" without problems."""
    if not problems:
        return SafeString()
    sentences = ((problem.sentence,) for problem in problems)
    return format_html(
        "<code>{}</code>{}",
        underlined(text, problems),
        format_html_join("", "<span>{}</span>", sentences),
    )
