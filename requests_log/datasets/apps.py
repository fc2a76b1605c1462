"""Django's entry to this app."""

from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig


class DatasetsConfig(AppConfig):
    name = "requests_log.datasets"
    label = "datasets"

    def import_models(self) -> None:
        """Models live where they belong; Django looks in one place only."""
        super().import_models()
        import_module("requests_log.datasets.hygiene.models")
        import_module("requests_log.datasets.erasure.models")
        import_module("requests_log.datasets.imports.models")
