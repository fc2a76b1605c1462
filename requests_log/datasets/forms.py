"""Forms of the datasets' pages."""

from __future__ import annotations

from typing import Any, cast

from django import forms

from requests_log.datasets.hygiene.actions import LEAST_ALIKE, MOST_ALIKE
from requests_log.datasets.measuring import base_names
from requests_log.datasets.models import Dataset
from workbench.core.models import Project


class DatasetForm(forms.Form):
    """A new dataset."""

    name = forms.CharField(max_length=120, help_text="What the model is to learn, in a few words.")
    description = forms.CharField(
        required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 2})
    )
    group_by = forms.ChoiceField(
        label="Keep together",
        choices=Dataset.GroupBy.choices,
        initial=Dataset.GroupBy.PROMPT,
        help_text="Examples with the same one never land on both sides of the split.",
    )


class FreezeForm(forms.Form):
    """A new frozen version."""

    heldout = forms.FloatField(
        label="Held out, %",
        min_value=0,
        max_value=90,
        initial=10,
        help_text="Kept from training, to judge the model on.",
    )
    tags = forms.CharField(
        label="Only those tagged",
        required=False,
        max_length=2000,
        widget=forms.TextInput({"class": "mono", "autocomplete": "off", "list": "example-tags"}),
        help_text="Such as topic:refunds; several are parted by commas. Left empty, all examples.",
    )
    filter_text = forms.CharField(
        label="Chosen by",
        required=False,
        max_length=2000,
        help_text="The query or the rule by which the examples were chosen, to be read later.",
    )
    notes = forms.CharField(
        required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 2})
    )


class CheckForm(forms.Form):
    """What to check a dataset for."""

    base_model = forms.ChoiceField(
        label="Base model", required=False, help_text="Lengths are counted in its tokens."
    )
    alike = forms.FloatField(
        label="Near duplicates are alike to, %",
        min_value=LEAST_ALIKE,
        max_value=MOST_ALIKE,
        initial=70,
        help_text="Shared text; what most examples share does not count.",
    )
    heldout = forms.FloatField(
        label="Held out, %",
        min_value=0,
        max_value=90,
        initial=10,
        help_text="As you will freeze; leaks are told between the two sides.",
    )

    def __init__(self, project: Project, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = [(name, name) for name in base_names(project)]
        field = cast(forms.ChoiceField, self.fields["base_model"])
        field.choices = [("", "Do not measure"), *names]
