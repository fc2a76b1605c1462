"""Django's entry to this app."""

from __future__ import annotations

from django.apps import AppConfig


class FinetunesConfig(AppConfig):
    name = "finetunes"
    label = "finetunes"

    def ready(self) -> None:
        from finetunes.dependents import trained_on
        from finetunes.measuring import ruler_names, ruler_of
        from finetunes.serving import registered_refs, resolve_registered
        from requests_log.datasets.downstream import register_dependents
        from requests_log.datasets.measuring import register_rulers
        from workbench.providers.refs import register_catalog, register_resolver

        register_resolver(resolve_registered)
        register_catalog(registered_refs)
        register_rulers(ruler_names, ruler_of)
        register_dependents(trained_on)
