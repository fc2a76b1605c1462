"""Django's entry to this app."""

from __future__ import annotations

from django.apps import AppConfig


class PipelinesConfig(AppConfig):
    name = "evals.pipelines"
    label = "pipelines"

    def ready(self) -> None:
        from evals.pipelines.batches import look_for_due_batches
        from evals.pipelines.interrupted import end_interrupted
        from workbench.core.timetable import register

        register(end_interrupted)
        register(look_for_due_batches)
