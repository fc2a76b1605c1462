"""The table of spans as they came."""

from __future__ import annotations

from typing import Self

from django.db import models

from requests_log.models import Codec
from requests_log.querysets import TracedQuerySet
from workbench.core.models import Project


class OtlpSpanQuerySet(TracedQuerySet["OtlpSpan"]):
    def mapped_before(self, version: int) -> Self:
        """Those an older mapping read."""
        return self.filter(mapping_version__lt=version)


class OtlpSpan(models.Model):
    """A span as OpenTelemetry sent it, whatever was made of it: `raw` as `codec` keeps it.

    `mapping_version` is that of the mapping by which its call or step was made.
    """

    id = models.UUIDField(primary_key=True)
    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, db_constraint=False, related_name="+"
    )
    key_id = models.BigIntegerField(null=True)
    trace_id = models.TextField()
    mapping_version = models.SmallIntegerField()
    redaction = models.SmallIntegerField(db_default=0)
    codec = models.TextField(choices=Codec)
    raw = models.BinaryField()

    objects = OtlpSpanQuerySet.as_manager()

    class Meta:
        db_table = "requests_log_otlp_span"

    def __str__(self) -> str:
        return f"raw span {self.id}"
