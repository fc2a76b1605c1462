"""Django's entry to this app."""

from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig


class RequestsLogConfig(AppConfig):
    name = "requests_log"
    label = "requests_log"

    def import_models(self) -> None:
        """Models live where they belong; Django looks in one place only."""
        super().import_models()
        import_module("requests_log.bulk.models")
        import_module("requests_log.importers.models")
        import_module("requests_log.otlp.models")
        import_module("requests_log.saved_views.models")
        import_module("requests_log.search.models")
        import_module("requests_log.textindex.models")

    def ready(self) -> None:
        """Tell the prompt registry what the log knows of prompts, and connections the prices."""
        from prompts.uses import register_uses
        from requests_log.pricing.tags import tags_of
        from requests_log.prompt_uses import prompt_outcomes, prompt_uses
        from workbench.providers.pricetags import register_prices

        register_uses(prompt_uses, prompt_outcomes)
        register_prices(tags_of)
