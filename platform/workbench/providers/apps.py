"""Django's entry to this app."""

from __future__ import annotations

from django.apps import AppConfig


class ProvidersConfig(AppConfig):
    name = "workbench.providers"
    label = "providers"
