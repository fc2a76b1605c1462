"""The form of a monitor."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.urls import reverse

from evals.graders.registry import GRADERS
from evals.judges.choosing import PREFIX, offered, value_of
from evals.models import JUDGE
from evals.online.actions import GRADABLE, MOST_DOLLARS, MonitorSpec
from evals.online.models import Monitor
from workbench.core.models import Project

RULES = [(name, GRADERS[name].label) for name in GRADABLE]
OFTEN = [(5, "5 minutes"), (15, "15 minutes"), (60, "hour"), (360, "6 hours"), (1440, "day")]


class MonitorForm(forms.Form):
    """What is watched, how it is graded, and when somebody is to be told."""

    name = forms.CharField(
        max_length=100,
        widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": "Valid JSON"}),
        help_text="Its scores in the log are called so, too.",
    )
    query = forms.CharField(
        label="Calls that match",
        max_length=2000,
        required=False,
        widget=forms.TextInput(attrs={"class": "mono", "spellcheck": "false", "autocomplete": "off",
                                      "placeholder": "model:router@production tag.route:/chat"}),
        help_text="A query of the log. Left empty, all calls.",
    )  # fmt: skip
    sample_percent = forms.FloatField(
        label="Share graded, %", min_value=0.01, max_value=100, initial=10
    )
    most_per_run = forms.IntegerField(
        label="At most per run", min_value=1, max_value=10_000, initial=200
    )
    every_minutes = forms.TypedChoiceField(label="Every", coerce=int, choices=OFTEN, initial=15)
    grader = forms.ChoiceField(
        label="Graded by",
        choices=RULES,
        initial=GRADABLE[0],
        help_text="Live calls have no expected answer: these graders need none.",
        widget=forms.Select(
            attrs={
                "hx-trigger": "change",
                "hx-target": "#grader-settings",
                "hx-swap": "outerHTML",
                "hx-include": "[name=query], [name=most_per_run], [name=every_minutes]",
            }
        ),
    )
    daily_dollars = forms.FloatField(
        label="Judging costs at most, $ a day",
        min_value=0.0001,
        max_value=MOST_DOLLARS,
        required=False,
        help_text="Of judges: answers beyond it are not judged and counted apart. Left empty, no "
        "bound but “At most per run”.",
    )
    alert_below = forms.FloatField(
        label="Alert below, %",
        min_value=0.1,
        max_value=100,
        required=False,
        help_text="When the mean score is clearly lower. Left empty, never.",
    )
    alert_drop = forms.FloatField(
        label="Alert at a fall of",
        min_value=0.1,
        max_value=100,
        required=False,
        help_text="Points, against the answers before, if it is no chance. Left empty, never.",
    )
    window = forms.IntegerField(
        label="Answers looked at",
        min_value=2,
        max_value=10_000,
        initial=100,
        help_text="An alert looks at so many of the newest answers.",
    )
    is_on = forms.BooleanField(
        label="On", required=False, initial=True, help_text="Off, it grades and alerts nothing."
    )

    def __init__(self, project: Project, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        place = reverse("online:grader", args=[project.slug])
        self.fields["grader"].widget.attrs["hx-get"] = place
        self.judges = {value_of(one): one for one in offered(project, also=self._asked_judge())}
        if self.judges:
            named = [(value, f"Judge: {one}") for value, one in self.judges.items()]
            self.fields["grader"].choices = [("Rules", RULES), ("Judges", named)]  # type: ignore[attr-defined]

    def _asked_judge(self) -> UUID | None:
        """An older version of a judge is offered, too, where the monitor has it."""
        value = str(self.data.get("grader") or self.initial.get("grader") or "")
        try:
            return UUID(value.removeprefix(PREFIX)) if value.startswith(PREFIX) else None
        except ValueError:
            return None

    def spec(self, grader_settings: dict[str, Any]) -> MonitorSpec:
        """The cleaned fields as the actions take them."""
        values = dict(self.cleaned_data)
        version = self.judges.get(values["grader"])
        if version is None:
            values["daily_dollars"] = None
        else:
            values["grader"] = JUDGE
            grader_settings = {"judge": version.judge.name, "version": version.number}
        for name in ("alert_below", "alert_drop"):
            values[name] = None if values[name] is None else values[name] / 100
        return MonitorSpec(**values, grader_settings=grader_settings)


def as_typed(monitor: Monitor) -> dict[str, Any]:
    """The fields of the form for a monitor that is there."""
    values = {name: getattr(monitor, name) for name in MonitorForm.base_fields}
    if monitor.judge_version is not None:
        values["grader"] = value_of(monitor.judge_version)
    for name in ("alert_below", "alert_drop"):
        values[name] = None if values[name] is None else round(values[name] * 100, 4)
    return values
