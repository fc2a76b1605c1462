"""Drawings of the trace view."""

from __future__ import annotations

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from requests_log.traces.tree import Row

register = template.Library()


@register.simple_tag
def indent(pixels: int) -> SafeString:
    """The empty space before a step, by its depth."""
    return format_html('<svg class="trace__indent" width="{}" height="1"></svg>', pixels)


@register.simple_tag
def time_bar(row: Row) -> SafeString:
    """When a step ran, along the time of the whole trace."""
    return format_html(
        '<svg class="trace__bar" viewBox="0 0 100 10" preserveAspectRatio="none" '
        'aria-hidden="true"><rect x="{}" width="{}" height="10"></rect></svg>',
        row.left,
        row.width,
    )
