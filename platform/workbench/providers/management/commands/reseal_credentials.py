"""Put every provider credential under the newest key (after changing CREDENTIAL_KEYS)."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from workbench.providers.actions import reseal_credentials


class Command(BaseCommand):
    help = "Seal every provider credential again with the first of CREDENTIAL_KEYS."

    def handle(self, *args: Any, **options: Any) -> None:
        count = reseal_credentials()
        self.stdout.write(f"{count} credentials are sealed with the newest key.")
