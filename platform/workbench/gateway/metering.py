"""What an answer costs, read from its own counts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from requests_log.calls import Call
from requests_log.digest.prices import cost_of
from requests_log.digest.shapes import read_tokens
from workbench.gateway.call import ModelCall

BYTES_A_TOKEN = 4


class _Counted(msgspec.Struct):
    """The members of an answer that say what it took."""

    model: Any = None
    usage: Any = None


_decoder = msgspec.json.Decoder(_Counted)


def cost_of_answer(call: ModelCall) -> Decimal | None:
    """Dollars for a whole answer at list prices; None when it does not count, or has no price."""
    try:
        counted = _decoder.decode(call.capture.whole())
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return priced(call, counted.model, counted.usage)


def priced(call: ModelCall, model_used: Any, usage: Any) -> Decimal | None:
    """Dollars for these counts, as the log will say."""
    if call.endpoint is None or not isinstance(usage, dict):
        return None
    tokens = read_tokens(usage)
    return cost_of(
        call.endpoint.provider,
        model_used if isinstance(model_used, str) and model_used else call.endpoint.model,
        input_tokens=tokens.input,
        output_tokens=tokens.output,
        cached_tokens=tokens.cached,
        project_id=call.caller.project_id,
        at=call.started_at,
    )


def charge_of(call: ModelCall, entry: Call) -> Decimal | None:
    """Dollars to count against a budget: the cost, or an estimate where an answer has no counts.

    A stream without `stream_options.include_usage`, or one that was broken off, does not say
    what it took; then four bytes count as a token.
    """
    if call.cost is not None or not call.capture.size or entry.http_status != 200:
        return call.cost
    if not call.capture.is_stream:
        return None
    estimate = {
        "input_tokens": len(call.body) // BYTES_A_TOKEN,
        "output_tokens": len(entry.response or b"") // BYTES_A_TOKEN,
    }
    return priced(call, None, estimate)
