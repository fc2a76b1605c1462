"""Stillhouse: log the LLM calls you pay for, look up prompts and the models you trained."""

from __future__ import annotations

from stillhouse._context import (
    Context,
    PromptRef,
    ThreadPoolExecutor,
    carry,
    context,
    current_trace_id,
    last_request_id,
)
from stillhouse._ids import new_id
from stillhouse._masking import PATTERNS, mask_patterns
from stillhouse._models import ResolvedModel
from stillhouse._prompts import Prompt
from stillhouse._spans import KINDS, Span, observe, span
from stillhouse._tally import Stats
from stillhouse._version import __version__
from stillhouse.client import Client, default_client, feedback, get_prompt, score
from stillhouse.errors import (
    ConfigurationError,
    DeliveryError,
    MissingVariables,
    ModelNotFound,
    PromptError,
    PromptNotFound,
    StillhouseError,
    StillhouseUnavailable,
)
from stillhouse.wrap import wrap

__all__ = [
    "KINDS",
    "PATTERNS",
    "Client",
    "ConfigurationError",
    "Context",
    "DeliveryError",
    "MissingVariables",
    "ModelNotFound",
    "Prompt",
    "PromptError",
    "PromptNotFound",
    "PromptRef",
    "ResolvedModel",
    "Span",
    "Stats",
    "StillhouseError",
    "StillhouseUnavailable",
    "ThreadPoolExecutor",
    "__version__",
    "carry",
    "context",
    "current_trace_id",
    "default_client",
    "feedback",
    "get_prompt",
    "last_request_id",
    "mask_patterns",
    "new_id",
    "observe",
    "score",
    "span",
    "wrap",
]
