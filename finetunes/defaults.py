"""The knobs of a run: defaults with their sources, and the bounds of what may be chosen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workbench.core.errors import InvalidInput


@dataclass(frozen=True)
class Knob:
    """One number of the launch form: its default, bounds, and what it does in one sentence."""

    name: str
    label: str
    default: float
    low: float
    high: float
    whole: bool
    help: str


# LoRA wants about ten times the learning rate of full fine-tuning, and every linear layer
# ("LoRA without regret"); tiny students take far more, see finetunes/nano/MODEL_CARD.md.
KNOBS = (
    Knob("epochs", "Epochs", 1, 0.01, 100, False, "How often every example is seen."),
    Knob(
        "learning_rate",
        "Learning rate",
        2e-4,
        1e-7,
        0.1,
        False,
        "Step size. LoRA takes 1e-4 to 4e-4; models of a few million parameters 2e-3 and more.",
    ),
    Knob("batch_size", "Batch size", 32, 1, 4096, True, "Examples per step."),
    Knob("r", "LoRA rank", 16, 1, 512, True, "Capacity of the adapter."),
    Knob(
        "alpha",
        "LoRA alpha",
        32,
        1,
        1024,
        True,
        "Strength of the adapter; twice the rank is usual.",
    ),
    Knob("seed", "Seed", 0, 0, 2**31 - 1, True, "The same seed and data give the same weights."),
)
ADAPTER_KNOBS = ("r", "alpha")
ADAPTER_KINDS = ("lora", "full")
FIXED = {
    "gradient_accumulation": 1,
    "warmup": 0.03,
    "scheduler": "cosine",
    "weight_decay": 0.0,
    "max_grad_norm": 1.0,
    "max_length": None,
}


def read_knobs(given: dict[str, Any]) -> dict[str, float]:
    """Every knob's value: the given one when there is one, else the default.

    Raises:
        InvalidInput: a value is not a number or out of bounds.
    """
    known = {knob.name for knob in KNOBS}
    unknown = sorted(set(given) - known)
    if unknown:
        raise InvalidInput(
            f"There is no hyperparameter “{unknown[0]}”. There are: {', '.join(sorted(known))}."
        )
    return {knob.name: _value(knob, given.get(knob.name)) for knob in KNOBS}


def _value(knob: Knob, given: Any) -> float:
    if given is None or given == "":
        return int(knob.default) if knob.whole else knob.default
    try:
        value = float(given)
    except (TypeError, ValueError):
        value = float("nan")
    fits = knob.low <= value <= knob.high and (not knob.whole or value.is_integer())
    if not fits:
        kind = "a whole number" if knob.whole else "a number"
        raise InvalidInput(f"{knob.label} must be {kind} from {knob.low:g} to {knob.high:g}.")
    return int(value) if knob.whole else value
