"""`manage.py rederive`: make the digests again that an older version made."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from requests_log.digest.again import OUTDATED, count, rederive


class Command(BaseCommand):
    help = "Make the digests again that an older version of the derivation made, as a job."

    def handle(self, *args: Any, **options: Any) -> None:
        many = count(None, which=OUTDATED, asked=timezone.now())
        if not many:
            self.stdout.write("All digests are of this version.")
            return
        job = rederive(None, which=OUTDATED, title="Make older digests again", by=None)
        self.stdout.write(f"{many:,} older digests: the worker makes them again, as job {job.pk}.")
