"""Django's entry to this app."""

from __future__ import annotations

from django.apps import AppConfig


class PlaygroundConfig(AppConfig):
    name = "workbench.shell.playground"
    label = "playground"

    def ready(self) -> None:
        from requests_log.bulk.deleting import register_said

        register_said("playground_trial")
