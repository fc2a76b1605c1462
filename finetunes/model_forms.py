"""Forms of the model pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django import forms

from evals.models import Comparison
from finetunes.actions.registry import ALIAS_NAME, MODEL_NAME
from finetunes.models import ModelVersion


class PromoteForm(forms.Form):
    """Which version an alias is to point at, and on what grounds."""

    version = forms.TypedChoiceField(coerce=int, empty_value=None)
    alias = forms.CharField(
        max_length=40,
        initial="production",
        widget=forms.TextInput(attrs={"list": "alias-names", "autocomplete": "off"}),
        help_text="Deployments look the model up by it.",
    )
    comparison = forms.TypedChoiceField(
        coerce=UUID, required=False, empty_value=None, label="Evidence"
    )
    reason = forms.CharField(
        max_length=2000, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )

    def __init__(
        self,
        versions: Sequence[ModelVersion],
        comparisons: Sequence[Comparison],
        *args: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["version"].choices = [(v.number, str(v.number)) for v in versions]  # type: ignore[attr-defined]
        none = ("", "None: say why instead")
        self.fields["comparison"].choices = [none, *((str(c.pk), c.name) for c in comparisons)]  # type: ignore[attr-defined]

    def clean_alias(self) -> str:
        alias: str = self.cleaned_data["alias"].strip()
        if not ALIAS_NAME.fullmatch(alias):
            raise forms.ValidationError(
                "Use lower-case letters, digits, - and _, starting with a letter."
            )
        return alias

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if not values.get("comparison") and not values.get("reason", "").strip():
            self.add_error("reason", "Say why, or choose a comparison as evidence.")
        return values


class ImportForm(forms.Form):
    """A base model to register as it is, so that it can be served and compared."""

    base_model = forms.CharField(
        label="Base model",
        max_length=300,
        initial="nano-base",
        widget=forms.TextInput(attrs={"list": "base-models", "autocomplete": "off"}),
        help_text="A built-in model, or the folder of a model in one of MODEL_DIRS.",
    )
    name = forms.CharField(
        max_length=80,
        widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": "nano-base"}),
        help_text="What deployments call it. A name that is there already gets a next version.",
    )
    note = forms.CharField(max_length=500, required=False)

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"].strip()
        if not MODEL_NAME.fullmatch(name):
            raise forms.ValidationError("Use lower-case letters, digits, dots, - and _.")
        return name
