"""How the pages of training runs write things."""

from __future__ import annotations

from datetime import datetime, timedelta

from django import template
from django.utils.html import json_script
from django.utils.safestring import SafeString, mark_safe

from finetunes import progress
from finetunes.charts import Figure
from finetunes.models import TrainingRun

register = template.Library()


@register.filter
def run_share(run: TrainingRun) -> float | None:
    """How much of the run is done, 0 to 1."""
    return progress.share_of(run)


@register.filter
def run_elapsed(run: TrainingRun, at: datetime) -> timedelta | None:
    """Time since the run's first start."""
    return progress.elapsed(run, at=at)


@register.filter
def steps_note(run: TrainingRun) -> str:
    return f"of {run.total_steps:,}"


@register.filter
def loss_note(run: TrainingRun) -> str:
    return "" if run.loss_first is None else f"{run.loss_first:.3f} at the first step"


@register.filter
def parity_note(run: TrainingRun) -> str:
    return f"rows checked, {run.parity_mismatches or 0:,} mismatches"


@register.filter
def parity_tone(run: TrainingRun) -> str:
    return "bad" if run.parity_mismatches else "good"


@register.filter
def figure_oob(figure: Figure, element_id: str) -> SafeString:
    """A figure for a chart that is on the page already: swapped in beside the main answer."""
    script = json_script(figure, element_id)
    return mark_safe(script.replace("<script ", '<script hx-swap-oob="true" ', 1))  # noqa: S308  json_script escapes
