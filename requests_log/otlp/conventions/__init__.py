"""One module a convention: each says what it finds in a span."""

from __future__ import annotations

from typing import Any

from requests_log.otlp.attributes import Given
from requests_log.otlp.conventions import common, genai, langfuse, legacy, openinference, vercel
from requests_log.otlp.reading import Reading, joined

# What somebody said on purpose stands before what an instrumentation recorded by itself.
_READERS = (langfuse.read, openinference.read, vercel.read, genai.read, legacy.read, common.read)


def read(given: Given) -> Reading:
    """What all conventions find in a span, taken together."""
    return joined([reader(given) for reader in _READERS])


_STEPS = (langfuse, openinference, vercel, genai, legacy)


def documents(given: Given) -> tuple[Any, Any]:
    """Input and output of a step, as JSON values; None where nobody tells."""
    told = [convention.documents(given) for convention in _STEPS]
    inputs, outputs = ([one for one in side if one is not None] for side in zip(*told, strict=True))
    return next(iter(inputs), None), next(iter(outputs), None)
