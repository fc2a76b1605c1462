"""What every page's template can rely on."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from workbench.core.models import Project

THEMES = ("light", "dark")


def interface(request: HttpRequest) -> dict[str, Any]:
    """`project`, `role`, `projects` (of the person) and `theme` ("" follows the system)."""
    theme = request.COOKIES.get("theme", "")
    context: dict[str, Any] = {
        "project": getattr(request, "project", None),
        "role": getattr(request, "role", None),
        "theme": theme if theme in THEMES else "",
    }
    user = getattr(request, "user", None)
    if user is not None and user.is_authenticated:
        context["projects"] = Project.objects.of_member(user).by_name()
    return context
