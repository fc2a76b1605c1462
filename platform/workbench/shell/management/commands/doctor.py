"""`manage.py doctor`: says in words what is wrong and what to do."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand

from workbench.shell.diagnosis import Verdict, examine

SIGNS = {Verdict.GOOD: "✓", Verdict.NOTE: "·", Verdict.BAD: "✗"}


class Command(BaseCommand):
    help = "Look at every part of the installation and say what is wrong."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        bad = False
        for finding in examine():
            sign = SIGNS[finding.verdict]
            self.stdout.write(f"{sign} {finding.part:<10} {finding.sentence}")
            bad = bad or finding.verdict is Verdict.BAD
        if bad:
            sys.exit(1)
