"""Reading spans as they came."""

from __future__ import annotations

from uuid import UUID

from requests_log import bodies
from requests_log.otlp.models import OtlpSpan
from workbench.core.models import Project


def raw_span(project: Project, span_id: UUID) -> bytes | None:
    """The document kept of a span, if it came through OpenTelemetry."""
    kept = OtlpSpan.objects.in_project(project).filter(id=span_id).first()
    return None if kept is None else bodies.decompress(kept.raw, kept.codec)
