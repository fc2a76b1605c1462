"""The form of what enters the queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms

from requests_log.datasets.models import Dataset
from requests_log.review.models import Policy
from workbench.core.models import Project

if TYPE_CHECKING:
    Base = forms.ModelForm[Policy]
else:
    Base = forms.ModelForm


class ShareField(forms.FloatField):
    """A number of percent, shown without a fraction that says nothing."""

    def prepare_value(self, value: Any) -> Any:
        return int(value) if isinstance(value, float) and value.is_integer() else value


class PolicyForm(Base):
    """What enters the queue by itself, and what becomes of it."""

    class Meta:
        model = Policy
        fields = (
            "thumbs_down",
            "score_name",
            "score_below",
            "disagreement",
            "sample_percent",
            "overlap_percent",
            "dataset",
        )
        labels = {
            "thumbs_down": "Thumbs-down",
            "score_name": "Low score: its name",
            "score_below": "Low score: below",
            "disagreement": "Scores that disagree",
            "sample_percent": "A sample of all that succeed, %",
            "overlap_percent": "Looked at by two people, %",
            "dataset": "Accepted ones go to",
        }
        help_texts = {
            "thumbs_down": "Requests that somebody gave the score “thumbs: no”.",
            "score_name": "Such as “helpful”; leave it empty for none.",
            "disagreement": "Two people, or a person and a judge, gave the same score differently.",
            "sample_percent": "The same requests are in it whoever asks.",
            "overlap_percent": "So that you see how far reviewers agree.",
            "dataset": "The reviewer can choose another one, or none.",
        }

    def __init__(self, *args: Any, project: Project, **more: Any) -> None:
        super().__init__(*args, **more)
        datasets = Dataset.objects.in_project(project).order_by("name", "pk")
        self.fields["dataset"] = forms.ModelChoiceField(
            datasets,
            required=False,
            label=self.Meta.labels["dataset"],
            help_text=self.Meta.help_texts["dataset"],
            empty_label="No dataset",
        )
        for name in ("sample_percent", "overlap_percent"):
            self.fields[name] = ShareField(
                min_value=0,
                max_value=100,
                label=self.Meta.labels[name],
                help_text=self.Meta.help_texts[name],
            )
        self.fields["dataset"].widget.attrs["id"] = "policy-dataset"

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if values.get("score_name") and values.get("score_below") is None:
            self.add_error("score_below", "Write the number below which a score is low.")
        return values
