"""The form of a step, made from the schema of its kind's settings."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from django import forms

from evals.grader_forms import JSONObjectField, field_of
from evals.pipelines.steps.base import StepKind
from evals.pipelines.steps.registry import STEPS

MORE = frozenset(
    {"parameters", "response_schema", "tools", "seconds", "reuse", "between", "grader_settings"}
)
"""Settings that are rarely changed: they stand folded."""
TEXT = {"autocomplete": "off", "spellcheck": "false", "class": "mono"}
AREA = {"spellcheck": "false", "class": "mono"}


class MessagesField(forms.CharField):
    """A text with {{variables}}, or a JSON list of messages."""

    def prepare_value(self, value: Any) -> Any:
        return _written(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        text = super().clean(value).replace("\r\n", "\n")  # as browsers end every line
        if not text.lstrip().startswith("[{"):
            return text
        try:
            return json.loads(text)
        except ValueError as problem:
            raise forms.ValidationError(f"The list of messages is no JSON: {problem}.") from problem


class JSONListField(forms.JSONField):
    """JSON that is a list of objects."""

    def prepare_value(self, value: Any) -> Any:
        return _written(value) if value and not isinstance(value, str) else value or ""

    def clean(self, value: Any) -> Any:
        found = super().clean(value) or []
        if not isinstance(found, list):
            raise forms.ValidationError("Write a JSON list: […].")
        return found


class StepForm(forms.Form):
    """One step: its name, its kind, and a field for each setting of the kind."""

    name = forms.RegexField(
        r"^[A-Za-z_][A-Za-z0-9_]{0,59}$",
        label="Name",
        error_messages={
            "invalid": "Use letters, digits and _, beginning with a letter: later steps take what "
            "it makes as {{name}}."
        },
        widget=forms.TextInput(TEXT),
    )
    kind = forms.CharField(widget=forms.HiddenInput)

    def __init__(
        self,
        number: int,
        kind: StepKind,
        data: Mapping[str, Any] | None = None,
        *,
        initial: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(data, prefix=f"s{number}", initial={"kind": kind.name, **(initial or {})})
        self.number, self.step_kind = number, kind
        self.problem = ""
        for name, schema in kind.fields.items():
            self.fields[f"set-{name}"] = _field(schema, number)

    @property
    def label(self) -> str:
        """What the step is called, as far as it is."""
        return str(self["name"].value() or "")

    @property
    def shown(self) -> list[forms.BoundField]:
        """Settings that stand open."""
        return [self[f"set-{name}"] for name in self.step_kind.fields if name not in MORE]

    @property
    def folded(self) -> list[forms.BoundField]:
        """Settings that stand folded."""
        return [self[f"set-{name}"] for name in self.step_kind.fields if name in MORE]

    @property
    def is_unfolded(self) -> bool:
        """Whether a folded setting has something to say."""
        return any(field.errors for field in self.folded)

    def as_step(self) -> dict[str, Any]:
        """The cleaned fields as `create_pipeline` takes them; an empty number is left out."""
        values = self.cleaned_data
        settings = {
            name: values[f"set-{name}"]
            for name, schema in self.step_kind.fields.items()
            if not (values[f"set-{name}"] is None and schema.get("default") is not None)
        }
        return {"name": values["name"], "kind": self.step_kind.name, "settings": settings}


def blank_form(number: int, kind: StepKind, *, name: str, previous: str = "") -> StepForm:
    """A step that was just added; what takes an earlier step takes the one before it."""
    initial: dict[str, Any] = {"name": name}
    for setting, schema in kind.fields.items():
        if "default" not in schema and schema.get("format") in ("step", "variable"):
            initial[f"set-{setting}"] = previous
    return StepForm(number, kind, initial=initial)


def stored_form(number: int, step: Mapping[str, Any]) -> StepForm:
    """A step of a definition."""
    settings = {f"set-{name}": value for name, value in step["settings"].items()}
    return StepForm(number, STEPS[step["kind"]], initial={"name": step["name"], **settings})


def typed_form(number: int, was: int, kind: StepKind, values: Mapping[str, Any]) -> StepForm:
    """What stands in the form of step `was`, right or wrong, not judged yet, as step `number`."""
    form = StepForm(number, kind)
    old = f"s{was}-"
    for name, field in form.fields.items():
        is_box = isinstance(field, forms.BooleanField)
        form.initial[name] = f"{old}{name}" in values if is_box else values.get(f"{old}{name}", "")
    return form


def _field(schema: Mapping[str, Any], number: int) -> forms.Field:
    types = schema.get("type")
    kinds = types if isinstance(types, list) else [types]
    about: dict[str, Any] = {
        "label": schema["title"],
        "help_text": schema["description"],
        "required": "default" not in schema,
        "initial": schema.get("default"),
    }
    if schema.get("format") in _FORMATS:
        return _FORMATS[schema["format"]](about, number)
    if "object" in kinds:
        return JSONObjectField(widget=forms.Textarea({**AREA, "rows": 2}), **about)
    if "array" in kinds:
        return JSONListField(widget=forms.Textarea({**AREA, "rows": 2}), **about)
    if "integer" in kinds:
        least, most = schema.get("minimum"), schema.get("maximum")
        return forms.IntegerField(min_value=least, max_value=most, **about)
    return field_of(schema)


def _listed(name: str) -> Callable[[dict[str, Any], int], forms.Field]:
    """A text with offers from the page's list of that name."""

    def make(about: dict[str, Any], number: int) -> forms.Field:
        attrs = {**TEXT, "list": name.format(number)}
        return forms.CharField(max_length=300, widget=forms.TextInput(attrs), **about)

    return make


def _template(about: dict[str, Any], _: int) -> forms.Field:
    return MessagesField(strip=False, widget=forms.Textarea({**AREA, "rows": 4}), **about)


def _written(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


_FORMATS: Mapping[str, Callable[[dict[str, Any], int], forms.Field]] = {
    "template": _template,
    "model-ref": _listed("model-refs"),
    "prompt-ref": _listed("prompt-refs"),
    "step": _listed("steps-before-{}"),
    "variable": _listed("variables-{}"),
}
