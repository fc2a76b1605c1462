"""What a caller's body says to us: the model, and who and what the call is for."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from requests_log.exact_json import MAX_DEPTH, is_deeper_than
from workbench.gateway.answers import Refusal


class Head(msgspec.Struct):
    """The members of the body that we read; everything else passes unseen."""

    model: Any = None
    user: Any = None
    metadata: Any = None
    safety_identifier: Any = None

    @property
    def name(self) -> str:
        """The model's name.

        Raises:
            Refusal: there is none.
        """
        if not isinstance(self.model, str) or not self.model:
            raise Refusal(400, "missing_model", "Name the model as text in “model”.", param="model")
        return self.model


_head_decoder = msgspec.json.Decoder(Head)


def read_head(body: bytes) -> Head:
    """The head of a request body.

    Raises:
        Refusal: the body is no JSON object, or is nested too deep.
    """
    if is_deeper_than(body, MAX_DEPTH):
        raise Refusal(
            400,
            "nested_too_deeply",
            f"The body is nested deeper than {MAX_DEPTH} levels, or holds millions of brackets. "
            "Send a flatter one.",
        )
    try:
        return _head_decoder.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return _lenient_head(body)


def _lenient_head(body: bytes) -> Head:
    """The same for what only some parsers take (lone surrogates, huge numbers, NaN)."""
    try:
        loaded = json.loads(
            body.decode("utf-8", "replace"), parse_int=str, parse_float=str, parse_constant=str
        )
    except (ValueError, RecursionError) as problem:
        where = f" ({problem})" if isinstance(problem, json.JSONDecodeError) else ""
        raise Refusal(400, "invalid_json", f"The body is not a JSON document{where}.") from problem
    if not isinstance(loaded, dict):
        raise Refusal(400, "invalid_json", "The body must be a JSON object.")
    return Head(**{name: loaded.get(name) for name in Head.__struct_fields__})
