"""A form made from a grader's settings."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from django import forms

from evals.graders.base import Grader

PREFIX = "grader"
Schema = Mapping[str, Any]


class JSONObjectField(forms.JSONField):
    """JSON that is an object."""

    def prepare_value(self, value: Any) -> Any:
        return json.dumps(value, indent=2, ensure_ascii=False) if isinstance(value, dict) else value

    def clean(self, value: Any) -> Any:
        found = super().clean(value)
        if found is not None and not isinstance(found, dict):
            raise forms.ValidationError("Write a JSON object: {…}.")
        return found


class LinesField(forms.CharField):
    """Texts, one a line."""

    widget = forms.Textarea(attrs={"rows": 3, "class": "mono", "spellcheck": "false"})

    def clean(self, value: Any) -> Any:
        return [line.strip() for line in super().clean(value).splitlines() if line.strip()]

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value


class GraderForm(forms.Form):
    """One field a setting; `settings()` gives them back as the grader takes them."""

    def __init__(
        self,
        grader: Grader,
        data: Mapping[str, Any] | None = None,
        *,
        initial: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(data, prefix=PREFIX, initial=dict(initial or {}))
        self.grader = grader
        for name, schema in grader.fields.items():
            self.fields[name] = field_of(schema)

    @classmethod
    def typed(cls, grader: Grader, values: Mapping[str, Any]) -> GraderForm:
        """The form with what stands in it, right or wrong, not judged yet."""
        form = cls(grader)
        form.initial = {
            name: values.get(form.add_prefix(name), field.initial)
            if not isinstance(field, forms.BooleanField)
            else form.add_prefix(name) in values
            for name, field in form.fields.items()
        }
        return form

    def settings(self) -> dict[str, Any]:
        """The cleaned values; a number left empty is left out, so that its default holds."""
        return {name: value for name, value in self.cleaned_data.items() if value is not None}


def field_of(schema: Schema) -> forms.Field:
    """The form field of one setting, by its JSON schema."""
    about: dict[str, Any] = {
        "label": schema["title"],
        "help_text": schema["description"],
        "required": "default" not in schema,
        "initial": schema.get("default"),
    }
    if "enum" in schema:
        return forms.ChoiceField(choices=[(one, one) for one in schema["enum"]], **about)
    return _OF_TYPE[schema["type"]](schema, about)


def _text(schema: Schema, about: dict[str, Any]) -> forms.Field:
    if schema.get("format") == "code":
        return _code(schema, about)
    attrs = {"autocomplete": "off", "class": "mono", "spellcheck": "false"}
    most = schema.get("maxLength", 2000)
    return forms.CharField(max_length=most, strip=False, widget=forms.TextInput(attrs), **about)


def _code(schema: Schema, about: dict[str, Any]) -> forms.Field:
    attrs = {"rows": 12, "class": "mono", "spellcheck": "false", "autocomplete": "off"}
    about = {**about, "initial": about["initial"] or schema["examples"][0]}
    most = schema["maxLength"]
    return forms.CharField(max_length=most, strip=False, widget=forms.Textarea(attrs), **about)


def _number(schema: Schema, about: dict[str, Any]) -> forms.Field:
    least, most = schema.get("minimum"), schema.get("maximum")
    return forms.FloatField(min_value=least, max_value=most, **about)


def _object(_: Schema, about: dict[str, Any]) -> forms.Field:
    attrs = {"rows": 8, "class": "mono", "spellcheck": "false"}
    example = json.dumps({"type": "object", "required": ["answer"]}, indent=2)
    widget = forms.Textarea({**attrs, "placeholder": example})
    return JSONObjectField(widget=widget, **about)


def _boolean(_: Schema, about: dict[str, Any]) -> forms.Field:
    return forms.BooleanField(**{**about, "required": False})


def _array(_: Schema, about: dict[str, Any]) -> forms.Field:
    return LinesField(**about)


_OF_TYPE: Mapping[str, Callable[[Schema, dict[str, Any]], forms.Field]] = {
    "string": _text,
    "number": _number,
    "object": _object,
    "boolean": _boolean,
    "array": _array,
}
