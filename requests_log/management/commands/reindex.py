"""`manage.py reindex`: make the text index anew from the digests."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from requests_log.textindex.models import TextSegment
from requests_log.textindex.sealing import seal_again


class Command(BaseCommand):
    help = "Make the segments of the text index anew, one at a time; searches go on meanwhile."

    def handle(self, *args: Any, **options: Any) -> None:
        segments = list(TextSegment.objects.order_by("id").values_list("project_id", "id"))
        held = 0
        for number, (project_id, segment_id) in enumerate(segments, start=1):
            held += seal_again(project_id, segment_id)
            if number % 50 == 0:
                self.stdout.write(f"{number:,} of {len(segments):,} segments")
        self.stdout.write(f"{held:,} requests in {len(segments):,} segments, made anew.")
