"""The form of a new calibration."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import QueryDict
from django.urls import reverse

from evals.calibration.actions import MOST_ROWS, USUAL_ROWS
from evals.calibration.drawing import Answers, Matching, Source, score_names
from evals.calibration.models import Calibration
from evals.judges.models import JudgeVersion
from evals.models import Comparison
from requests_log.datasets.models import DatasetVersion

MOST_CHOICES = 200
_SHOWN_ANEW = {
    "hx-trigger": "change", "hx-include": "#calibration-form",
    "hx-params": "not csrfmiddlewaretoken", "hx-target": "#calibration-form",
    "hx-select": "#calibration-form", "hx-swap": "outerHTML",
}  # fmt: skip


class CalibrationForm(forms.Form):
    """Where answers are drawn from, how many, and whose labels are there already."""

    source = forms.ChoiceField(label="Answers from", choices=Calibration.Source.choices)
    comparison = forms.ModelChoiceField(Comparison.objects.none(), empty_label=None, required=False)
    dataset_version = forms.ModelChoiceField(
        DatasetVersion.objects.none(), empty_label=None, required=False,
        help_text="The answers its rows hold; the judge sees no expected one beside them.",
    )  # fmt: skip
    query = forms.CharField(
        label="Calls that match",
        required=False,
        max_length=2_000,
        widget=forms.TextInput(attrs={"class": "mono", "placeholder": "since:7d -status:error",
                                      "spellcheck": "false", "autocomplete": "off"}),
        help_text="A query of the log. Left empty, all calls that succeeded.",
    )  # fmt: skip
    rows = forms.IntegerField(
        label="Answers, at most",
        min_value=1,
        max_value=MOST_ROWS,
        initial=USUAL_ROWS,
        help_text="Drawn at random. 50 tell κ apart from chance, 100 or more make it a figure.",
    )
    scores = forms.ChoiceField(
        label="Labels that are there",
        required=False,
        help_text="People's scores of this name count as labels: ratings of a study once they were "
        "written as scores, or feedback on logged calls.",
    )

    def __init__(self, version: JudgeVersion, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.version, project = version, version.judge.project
        self._offer("comparison", Comparison.objects.in_project(project).newest_first())
        versions = DatasetVersion.objects.in_project(project).select_related("dataset")
        self._offer("dataset_version", versions.order_by("-created_at"))
        names = [("", "none, I label them all"), *((one, one) for one in score_names(project))]
        self.fields["scores"].choices = names  # type: ignore[attr-defined]
        here = reverse("calibration:new", args=[project.slug, version.judge_id])
        own = {**_SHOWN_ANEW, "hx-get": f"{here}?version={version.number}"}
        self.fields["source"].widget.attrs.update(own)
        if version.judge.is_pairwise:
            self.fields["source"].choices = Calibration.Source.choices[:1]  # type: ignore[attr-defined]

    @classmethod
    def typed(cls, version: JudgeVersion, values: QueryDict) -> CalibrationForm:
        """The form with what an address holds."""
        return cls(
            version, initial={name: values[name] for name in cls.base_fields if name in values}
        )

    @property
    def shown_source(self) -> str:
        return str(self.data.get("source") or self.initial.get("source") or "comparison")

    def drawn_from(self) -> Source:
        """What the valid form draws from."""
        values = self.cleaned_data
        if values["source"] == Calibration.Source.LOG:
            return Matching(values["query"])
        if values["source"] == Calibration.Source.DATASET:
            version: DatasetVersion = values["dataset_version"]
            return version
        return Answers(values["comparison"])

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        source = values.get("source")
        needed = {"comparison": "comparison", "dataset": "dataset_version"}.get(source or "")
        if needed and not values.get(needed):
            self.add_error(None, "Choose what to draw from; where there is none yet, elsewhere.")
        return values

    def _offer(self, name: str, rows: Any) -> None:
        field: Any = self.fields[name]
        field.queryset = rows
        field.choices = [(one.pk, str(one)) for one in rows[:MOST_CHOICES]]
