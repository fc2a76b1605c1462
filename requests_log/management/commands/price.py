"""`manage.py price`: what a model costs everybody who has no price of their own."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from requests_log.pricing.actions import set_price
from requests_log.pricing.reading import read_rate
from workbench.core.errors import InvalidInput

RATES = ("input", "cached", "output")


class Command(BaseCommand):
    help = "Set what a model costs the whole installation from a day on, in $ per million tokens."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("provider")
        parser.add_argument("model")
        parser.add_argument("--from", dest="day", required=True, help="such as 2026-11-01, UTC")
        for name in RATES:
            parser.add_argument(f"--{name}", required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            valid_from = datetime.strptime(options["day"], "%Y-%m-%d").replace(tzinfo=UTC)
        except ValueError as problem:
            raise CommandError("--from: give a day, such as 2026-11-01.") from problem
        try:
            rates = [read_rate(f"--{name}", options[name]) for name in RATES]
            job = set_price(
                None,
                provider=options["provider"],
                model=options["model"],
                valid_from=valid_from,
                rates=(rates[0], rates[1], rates[2]),
                by=None,
            )
        except InvalidInput as problem:
            raise CommandError(problem.sentence) from problem
        self.stdout.write(f"The price is set; costs since then are computed by job {job.pk}.")
