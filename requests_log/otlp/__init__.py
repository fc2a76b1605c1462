"""OpenTelemetry in: OTLP/HTTP decoded, spans read as calls and steps, the raw spans kept."""

from __future__ import annotations
