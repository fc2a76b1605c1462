"""Django's entry to this app."""

from __future__ import annotations

from django.apps import AppConfig


class DocumentsConfig(AppConfig):
    name = "evals.documents"
    label = "documents"

    def ready(self) -> None:
        from evals.documents.making.gathering import gather_run
        from evals.documents.steps import KINDS
        from evals.pipelines.following import register_follower
        from evals.pipelines.steps.registry import register_step

        for kind in KINDS:
            register_step(kind)
        register_follower(gather_run)
