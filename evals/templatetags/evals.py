"""How the pages of comparisons write things."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.html import json_script
from django.utils.safestring import SafeString, mark_safe

from workbench.core.templatetags.ui import signed

register = template.Library()


@register.filter
def points(share: float | None) -> str:
    """A difference of two shares in percentage points, with its sign: +3.2."""
    return signed(None if share is None else share * 100, 1)


@register.filter
def figure_beside(figure: dict[str, Any], element_id: str) -> SafeString:
    """A figure for a chart that is on the page already: swapped in beside the main answer."""
    script = json_script(figure, element_id)
    return mark_safe(script.replace("<script ", '<script hx-swap-oob="true" ', 1))  # noqa: S308  json_script escapes
