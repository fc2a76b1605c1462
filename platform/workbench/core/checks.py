"""System checks that keep `platform/` a source root and our apps ours (see docs/adr/0001)."""

from __future__ import annotations

import importlib.util
import platform
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

OUR_PACKAGES = ("workbench", "prompts", "requests_log", "evals", "finetunes")


@register()
def source_root(**_: Any) -> list[CheckMessage]:
    """`import platform` must stay the standard library's, and our packages must be ours."""
    return [*_platform_problems(), *_foreign_packages()]


def _platform_problems() -> list[CheckMessage]:
    if hasattr(platform, "python_implementation"):
        return []
    return [
        Error(
            "`import platform` no longer gives the standard library's module.",
            hint="Remove platform/__init__.py and any module directly in platform/.",
            id="core.E001",
        )
    ]


def _foreign_packages() -> list[CheckMessage]:
    problems: list[CheckMessage] = []
    for name in OUR_PACKAGES:
        found = importlib.util.find_spec(name)
        origin = Path(found.origin).resolve() if found and found.origin else None
        if origin is None or settings.ROOT not in origin.parents:
            problems.append(
                Error(
                    f"The package “{name}” comes from {origin}, not from this repository.",
                    hint=f"Uninstall the other package called {name}.",
                    id="core.E002",
                )
            )
    return problems
