"""The inference process: an OpenAI-compatible endpoint for registered models, without Django."""

from __future__ import annotations
