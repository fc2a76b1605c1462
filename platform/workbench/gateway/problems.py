"""What went wrong on the way to a provider, in sentences."""

from __future__ import annotations

from django.conf import settings

from workbench.core.egress import was_blocked
from workbench.gateway.answers import Refusal
from workbench.gateway.attempts import Hung, first_byte_seconds
from workbench.gateway.call import ModelCall
from workbench.gateway.guard import Stop


def unreachable(call: ModelCall, problem: BaseException) -> Refusal:
    """Nobody answered, or the answer broke off."""
    label = _label(call)
    if was_blocked(problem):
        return Refusal(
            502,
            "upstream_address_blocked",
            f"“{label}” leads to a private address. Allow the private network for the connection "
            "if that is meant.",
            kind="api_error",
        )
    if isinstance(problem, Hung):
        return timed_out(call, Stop.NO_FIRST_BYTE)
    if isinstance(problem, TimeoutError):
        return Refusal(
            504, "upstream_timeout", f"“{label}” did not accept the connection in time.",
            kind="api_error",
        )  # fmt: skip
    how = "broke off its answer" if call.timing.answered else "cannot be reached"
    return Refusal(502, "upstream_unreachable", f"“{label}” {how}. Try again.", kind="api_error")


def timed_out(call: ModelCall, reason: Stop) -> Refusal:
    """Somebody sent nothing for too long."""
    first = reason is Stop.NO_FIRST_BYTE
    seconds = first_byte_seconds(call) if first else float(settings.GATEWAY_IDLE_SECONDS)
    return Refusal(
        504,
        "upstream_timeout",
        f"“{_label(call)}” sent nothing for {seconds:g} seconds. Try again.",
        kind="api_error",
    )


def _label(call: ModelCall) -> str:
    return call.endpoint.label if call.endpoint else call.model
