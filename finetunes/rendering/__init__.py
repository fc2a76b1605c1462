"""Turn conversations into token ids: the one truth that training and serving share.

Pure: imports neither Django nor torch nor transformers; the tokenizer is passed in.
"""

from __future__ import annotations

from finetunes.rendering.fingerprint import render_fingerprint
from finetunes.rendering.messages import Message, RenderSettings
from finetunes.rendering.parity import check_parity
from finetunes.rendering.problems import ParityMismatch, RowProblem
from finetunes.rendering.render import (
    RenderedExample,
    render_examples,
    render_prompt,
    render_prompt_text,
)
from finetunes.rendering.stops import stop_token_ids
from finetunes.rendering.tokenizer import ChatTokenizer, encode

__all__ = [
    "ChatTokenizer",
    "Message",
    "ParityMismatch",
    "RenderSettings",
    "RenderedExample",
    "RowProblem",
    "check_parity",
    "encode",
    "render_examples",
    "render_fingerprint",
    "render_prompt",
    "render_prompt_text",
    "stop_token_ids",
]
