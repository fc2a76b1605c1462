"""Django's entry to this app."""

from __future__ import annotations

from django.apps import AppConfig


class JudgesConfig(AppConfig):
    name = "evals.judges"
    label = "judges"
