"""Conversations in templates."""

from __future__ import annotations

from django import template

from workbench.core.transcript import Turn, read_turns

register = template.Library()


@register.filter
def turns(messages: object) -> list[Turn]:
    """Chat messages as turns, each tool call with what came back."""
    return read_turns(messages)
