"""Django's entry to this app."""

from __future__ import annotations

from django.apps import AppConfig


class PipelinesConfig(AppConfig):
    name = "evals.pipelines"
    label = "pipelines"
