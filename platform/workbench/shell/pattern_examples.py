"""What the pattern page shows its components with: invented, but shaped like the real thing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django import forms

Figure = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """A line of the example list, with the fields that a logged request has."""

    pk: int
    state: str
    at: datetime
    prompt: str
    question: str
    answer: str
    model: str
    tokens: int
    duration_ms: float
    cost: Decimal


class ExampleForm(forms.Form):
    """One control of each kind."""

    name = forms.CharField(label="Name", initial="support-triage")
    base = forms.ChoiceField(
        label="Base model",
        choices=[("s", "SmolLM3-3B"), ("q", "Qwen3-1.7B")],
        help_text="3.1 B parameters, 65,536 tokens of context.",
    )
    epochs = forms.FloatField(label="Epochs", initial=1.0, max_value=100)
    rate = forms.FloatField(label="Learning rate", initial=0.0002)
    note = forms.CharField(
        label="What changes", widget=forms.Textarea(attrs={"rows": 3}), required=False
    )
    keep = forms.BooleanField(
        label="Keep every checkpoint",
        required=False,
        help_text="Otherwise the newest two are kept.",
    )


MESSAGES: list[dict[str, Any]] = [
    {"role": "system", "content": "You sort support mail. Answer with one label and one sentence."},
    {
        "role": "user",
        "content": "Hi, I was charged twice for order 4417 and nobody answers.\n\nThanks, Ada",
    },
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"function": {"name": "find_order", "arguments": '{"order": 4417, "open": true}'}}
        ],
    },
    {
        "role": "tool",
        "name": "find_order",
        "content": '{"order":4417,"charges":2,"total":"118.00"}',
    },
    {
        "role": "assistant",
        "content": "billing/duplicate-charge\nCharged twice for order 4417; refund $59.00.",
    },
]

SWATCHES = (
    *("surface", "sunken", "hover", "line", "ink-3", "ink-2", "ink"),
    *("accent", "good", "warn", "bad", "live"),
)
ICONS = (
    *("still", "home", "log", "queue", "dataset", "prompt", "eval", "tune", "model", "play"),
    *("stop", "settings", "search", "filter", "plus", "close", "check", "copy", "edit", "tag"),
    *("trash", "download", "upload", "undo", "left", "right", "external", "more", "menu", "sun"),
    *("moon", "alert", "info", "clock", "key", "person", "leave", "link", "frozen", "promote"),
)

_QUESTIONS = (
    ("Where is my parcel? The tracking page has not moved for six days.", "shipping/delayed"),
    ("Charged twice for order 4417 and nobody answers the phone", "billing/duplicate-charge"),
    ("请问如何更改收货地址?", "account/address"),
    ("The discount code SPRING does not work at checkout", "checkout/coupon"),
    ("Can you send the invoice to our accounting department instead?", "billing/invoice"),
    ("App closes by itself when I open the camera", "app/crash"),
)
_STATES = ("ok", "ok", "ok", "error", "ok", "client_closed")


def examples(*, at: datetime, form: forms.Form | None = None) -> dict[str, Any]:
    """The context of the pattern page, as seen at the given moment."""
    rows = _rows(at)
    return {
        "rows": rows,
        "page": {"rows": rows, "older": _OLDER, "newer": None},
        "messages_shown": MESSAGES,
        "reply": {
            "id": "chatcmpl-91",
            "usage": {"prompt_tokens": 212, "cached": True},
            "logprobs": None,
        },
        "loss": loss_figure(),
        "throughput": throughput_figure(),
        "calls": [max(0.0, 30 + 24 * math.sin(i / 2.2) + (i * 7) % 11) for i in range(28)],
        "errors": [0, 0, 1, 0, 0, 0, 4, 9, 3, 0, 0, 1, 0, 0, None, 0, 2, 0],
        "query": 'model:gpt-5-mini cost:>0.01 "refund"',
        "snippet": "import stillhouse\nclient = stillhouse.wrap(openai.OpenAI())",
        "facets": _facets(),
        "form": form or ExampleForm(),
        "wrong": ExampleForm({"name": "", "base": "s", "epochs": "300", "rate": "0.0002"}),
        "loop": {
            "logged_week": 48_212,
            "waiting": 37,
            "examples": 2480,
            "training": 1,
            "in_production": 2,
        },
        "toasts": [
            ("good", "12 requests added to support-triage."),
            ("warn", "The teacher answers slowly; the pipeline goes on at its pace."),
            ("bad", "The dataset is frozen. Make a new version to change it."),
        ],
        "swatches": SWATCHES,
        "icons": ICONS,
        "themes": ("light", "dark"),
        "at": at,
        "soon": at + timedelta(hours=3, minutes=4),
    }


_OLDER = "00000000-0000-7000-8000-000000000000"


def _rows(at: datetime) -> list[Row]:
    return [
        Row(
            pk=i + 1,
            state=_STATES[i],
            at=at - timedelta(seconds=37 * (i + 1) ** 3),
            prompt=f"triage@{3 - i // 4}",
            question=question,
            answer=answer,
            model="gpt-5-mini" if i % 3 else "triage@production",
            tokens=180 + 391 * i,
            duration_ms=412.0 + 377.5 * i * i,
            cost=Decimal("0.00042") * (i + 1),
        )
        for i, (question, answer) in enumerate(_QUESTIONS)
    ]


def _facets() -> list[dict[str, Any]]:
    values = {
        "Model": {"gpt-5-mini": 81_204, "triage@production": 42_118, "claude-haiku-5": 903},
        "Status": {"ok": 121_370, "error": 2_410, "client closed": 445},
        "Prompt": {"triage@3": 96_001, "triage@2": 20_877, "summary@1": 7_347},
        "route": {"checkout": 61_020, "mail": 33_504, "chat": 29_701},
    }
    return [
        {
            "name": name,
            "values": [
                {
                    "label": label,
                    "count": count,
                    "url": f"?q={name.lower()}:{label}",
                    "is_on": label == "triage@production",
                    "share": count / max(counts.values()),
                }
                for label, count in counts.items()
            ],
        }
        for name, counts in values.items()
    ]


def loss_figure() -> Figure:
    """A training run's loss: every step, and the held-out rows now and then."""
    steps = list(range(0, 400, 4))
    train = [0.62 + 2.1 * math.exp(-s / 62) + 0.05 * math.sin(s * 1.7) for s in steps]
    held_out = [0.74 + 2.0 * math.exp(-s / 70) for s in steps[::12]]
    return {
        "data": [
            {"type": "scatter", "mode": "lines", "name": "train", "x": steps, "y": train},
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": "held out",
                "x": steps[::12],
                "y": held_out,
            },
        ],
        "layout": {"xaxis": {"title": "step"}, "yaxis": {"title": "loss"}},
    }


def throughput_figure() -> Figure:
    """Requests an hour, errors on top in the colour of what went wrong."""
    hours = [f"2026-11-20T{hour:02}:00" for hour in range(24)]
    good = [40 + 35 * math.sin((hour - 6) / 24 * 6.28) ** 2 * hour / 6 for hour in range(24)]
    bad = [0 if hour not in (13, 14, 15) else 22 - abs(14 - hour) * 9 for hour in range(24)]
    return {
        "data": [
            {"type": "bar", "name": "ok", "x": hours, "y": good},
            {"type": "bar", "name": "error", "x": hours, "y": bad, "marker": {"color": "--bad"}},
        ],
        "layout": {"barmode": "stack", "bargap": 0.25, "showlegend": False},
    }
