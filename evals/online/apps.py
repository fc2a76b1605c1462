"""Django's entry to this app."""

from __future__ import annotations

from django.apps import AppConfig


class OnlineConfig(AppConfig):
    name = "evals.online"
    label = "online"

    def ready(self) -> None:
        from evals.online.actions import start_due
        from workbench.core.timetable import register

        register(start_due)
