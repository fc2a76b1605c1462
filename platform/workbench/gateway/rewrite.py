"""Putting another model name into a request body without touching any other byte.

A ref such as `openai/gpt-5-mini` is ours; the provider knows the model by its bare name. Nothing
else of the body changes: not its spacing, key order, number formats or escapes.
"""

from __future__ import annotations

import json

from requests_log.exact_json import Span, Walk


def with_model(body: bytes, model: str) -> bytes:
    """The body, a JSON object, with every top-level `model` text set to this name.

    Raises:
        exact_json.Malformed: it is no object, or too finely cut to walk through.
    """
    replacement = json.dumps(model).encode()
    parts: list[bytes] = []
    end = 0
    for start, stop in _model_values(body):
        parts += [body[end:start], replacement]
        end = stop
    return b"".join([*parts, body[end:]])


def _model_values(body: bytes) -> list[Span]:
    """Where the text values of top-level `model` members stand."""
    walk = Walk(body)
    values = [walk.value() for name in walk.members() if name == "model"]
    return [(start, stop) for start, stop in values if body[start : start + 1] == b'"']
