"""Django's entry to this app."""

from __future__ import annotations

from django.apps import AppConfig


class StartingConfig(AppConfig):
    name = "workbench.shell.starting"
    label = "starting"
