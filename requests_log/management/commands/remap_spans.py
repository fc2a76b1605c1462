"""`manage.py remap_spans`: read kept OpenTelemetry spans again with today's mapping."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from requests_log.otlp.remap import Progress, remap_spans
from workbench.core.models import Project

EVERY = 1000
"""Spans between two lines of progress."""


class Command(BaseCommand):
    help = "Rewrites what older versions made of OpenTelemetry spans. Safe to stop and to repeat."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--project", help="the slug of the only project to do; all by default")

    def handle(self, *args: Any, project: str | None = None, **options: Any) -> None:
        done = remap_spans(_project(project), on_progress=self._tell())
        self.stdout.write(f"{done.spans:,} spans in {done.traces:,} traces were mapped again.")
        if done.failed:
            raise CommandError(
                f"{done.failed:,} traces could not be mapped and stay as they were; the log says "
                "why. Run this again after that is repaired."
            )

    def _tell(self) -> Any:
        told = 0

        def tell(progress: Progress) -> None:
            nonlocal told
            if progress.spans - told >= EVERY:
                told = progress.spans
                self.stdout.write(f"{progress.spans:,} of {progress.total_spans:,} spans")

        return tell


def _project(slug: str | None) -> Project | None:
    if slug is None:
        return None
    found = Project.objects.filter(slug=slug).first()
    if found is None:
        raise CommandError(f"There is no project “{slug}”. Give the slug as in the address /p/….")
    return found
