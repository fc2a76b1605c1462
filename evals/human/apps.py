"""Django's entry to this app."""

from __future__ import annotations

from django.apps import AppConfig


class HumanConfig(AppConfig):
    name = "evals.human"
    label = "human"
