"""Django's entry to this app."""

from __future__ import annotations

from django.apps import AppConfig


class RedactionConfig(AppConfig):
    name = "requests_log.redaction"
    label = "redaction"
