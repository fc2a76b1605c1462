"""Django's entry to this app."""

from __future__ import annotations

from django.apps import AppConfig


class PromptsConfig(AppConfig):
    name = "prompts"
    label = "prompts"
