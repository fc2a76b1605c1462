"""A run's events as lines people read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from finetunes.models import RunEvent, TrainingRun
from finetunes.supervision.run_folder import folder_of

Body = Mapping[str, Any]
LINES = 60
LOG_BYTES = 8192
DRAWN = ("metrics", "eval")
"""Events the charts show; in the log they would bury the others."""


@dataclass(frozen=True)
class Line:
    """One line of the log; `tone` is a hue word or ""."""

    at: datetime
    kind: str
    text: str
    tone: str = ""


def lines_of(run: TrainingRun) -> list[Line]:
    """The newest lines of a run's log, newest first."""
    events = run.events.exclude(type__in=(*DRAWN, "sample")).order_by("-seq")[:LINES]
    return [line_of(event) for event in events]


def line_of(event: RunEvent) -> Line:
    """An event in words; one this release does not know is shown as it came."""
    told = _WORDS.get(event.type)
    try:
        text = told(event.body) if told else str(event.body)
    except (KeyError, TypeError):
        text = str(event.body)
    return Line(event.at, event.type, text, _TONES.get(event.type, ""))


def trainer_log(run: TrainingRun) -> str:
    """The end of what the trainer printed; "" when it is not on this machine."""
    try:
        with (folder_of(run) / "trainer.log").open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - LOG_BYTES))
            return file.read().decode("utf-8", errors="replace").strip()
    except OSError:
        return ""


def _started(body: Body) -> str:
    step = body["resumed_from_step"]
    begins = f"goes on from step {step:,}" if step else "starts from the beginning"
    return f"Attempt {body['attempt']} {begins} (process {body['pid']})"


def _parity(body: Body) -> str:
    return f"{body['rows_checked']:,} examples checked, {body['mismatches']:,} mismatches"


def _tokens(body: Body) -> str:
    return (
        f"{body['examples']:,} examples, {body['tokens']:,} tokens, "
        f"{body['trained_tokens']:,} of them trained; the longest example has {body['longest']:,}"
    )


def _finished(body: Body) -> str:
    return f"{body['steps']:,} steps in {body['seconds']:,.1f} s"


_WORDS: dict[str, Callable[[Body], str]] = {
    "started": _started,
    "phase": lambda body: str(body["phase"]),
    "parity": _parity,
    "tokens": _tokens,
    "checkpoint": lambda body: f"saved after step {body['step']:,}",
    "warning": lambda body: str(body["message"]),
    "error": lambda body: str(body["message"]),
    "finished": _finished,
}
_TONES = {"error": "bad", "warning": "warn", "finished": "good"}
