"""The floor every other app stands on."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class CoreConfig(AppConfig):
    name = "workbench.core"
    label = "core"

    def ready(self) -> None:
        from workbench.core import checks, schema  # noqa: F401 - both register themselves

        autodiscover_modules("tasks")  # every app's job handlers
