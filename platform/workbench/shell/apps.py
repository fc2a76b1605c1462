"""Django's entry to this app."""

from __future__ import annotations

from django.apps import AppConfig


class ShellConfig(AppConfig):
    name = "workbench.shell"
    label = "shell"
