"""Django's entry to this app."""

from __future__ import annotations

from django.apps import AppConfig


class EvalsConfig(AppConfig):
    name = "evals"
    label = "evals"

    def ready(self) -> None:
        from evals.dependents import comparisons_on
        from requests_log.datasets.downstream import register_dependents

        register_dependents(comparisons_on)
