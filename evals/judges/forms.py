"""The form of a judge's version, and the example it is tried on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.urls import reverse

from evals.judges.models import JudgeVersion
from evals.judges.scales import PAIR, BadScale, Scale, read_scale
from evals.judges.settings import MOST_SAMPLES, PAIRWISE, SINGLE, JudgeSettings
from workbench.core.models import Project

AREA = {"class": "mono", "spellcheck": "false", "autocomplete": "off"}


class ScaleField(forms.CharField):
    """Levels, one a line: name | score | what it means."""

    widget = forms.Textarea(attrs={**AREA, "rows": 6})

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, Scale):
            return value
        return "\n".join(f"{one.label} | {one.score:g} | {one.meaning}" for one in value.levels)

    def clean(self, value: Any) -> Any:
        lines = [line for line in super().clean(value).splitlines() if line.strip()]
        if not lines:
            return None
        try:
            return read_scale({"levels": [_level(line) for line in lines]})
        except BadScale as problem:
            raise forms.ValidationError(str(problem)) from problem


class JudgeForm(forms.Form):
    """Everything a version says; `settings()` gives it back as judges take it."""

    kind = forms.ChoiceField(
        choices=[(SINGLE, "One answer"), (PAIRWISE, "Two answers")], widget=forms.HiddenInput
    )
    name = forms.CharField(
        max_length=60,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    model_ref = forms.CharField(
        label="Model ref",
        max_length=300,
        widget=forms.TextInput(attrs={"list": "model-refs", "autocomplete": "off", "class": "mono",
                                      "spellcheck": "false", "placeholder": "connection/model"}),
        help_text="A model other than the ones it judges: models like their own answers.",
    )  # fmt: skip
    criteria = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 6}),
        help_text="What a good answer is. It stands where the rubric says {{criteria}}.",
    )
    scale = ScaleField(
        label="Levels",
        help_text="One a line, the worst first: name | score from 0 to 1 | what it means.",
        required=False,
    )
    ordinal = forms.BooleanField(
        label="The levels have an order",
        required=False,
        help_text="As 1 to 5 have; then a near miss counts as less of a disagreement.",
    )
    template = forms.CharField(
        label="Rubric",
        strip=False,
        max_length=50_000,
        widget=forms.Textarea(attrs={**AREA, "rows": 14}),
        help_text="What is judged is put in between markers that no text can forge, and the form "
        "of the reply is asked for after it.",
    )
    show_expected = forms.BooleanField(
        label="Show the expected answer",
        required=False,
        help_text="Without it, the judge goes by the question and the criteria alone.",
    )
    structured = forms.BooleanField(
        label="Ask for JSON by a schema",
        required=False,
        help_text="A model that refuses is asked without, and its reply is read as strictly.",
    )
    samples = forms.IntegerField(
        label="Judgements an answer", min_value=1, max_value=MOST_SAMPLES,
        help_text="Several are combined, and their spread is shown. Each one is paid for.",
    )  # fmt: skip
    combine = forms.ChoiceField(
        label="Combined by", choices=[("majority", "Majority"), ("mean", "Mean score")]
    )
    temperature = forms.FloatField(min_value=0, max_value=2)
    max_tokens = forms.IntegerField(label="Longest reply", min_value=1, max_value=100_000)
    message = forms.CharField(
        label="What changed",
        max_length=300,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["scale"].required = not self.is_pairwise

    def settings(self) -> JudgeSettings:
        """The cleaned fields."""
        values = self.cleaned_data
        is_pair = values["kind"] == PAIRWISE
        scale = PAIR if is_pair else Scale(values["scale"].levels, values["ordinal"])
        return JudgeSettings(
            template=values["template"],
            criteria=values["criteria"],
            scale=scale,
            show_expected=values["show_expected"],
            structured=values["structured"],
            samples=values["samples"],
            combine=values["combine"],
            parameters={"temperature": values["temperature"], "max_tokens": values["max_tokens"]},
            kind=values["kind"],
        )

    @property
    def is_pairwise(self) -> bool:
        return bool(self["kind"].value() == PAIRWISE)


class ExampleForm(forms.Form):
    """One answer to try a judge on."""

    question = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 3}))
    answer = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 3}))
    expected = forms.CharField(
        label="Expected answer", required=False, widget=forms.Textarea(attrs={"rows": 2})
    )
    context = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 2}))


def live(form: JudgeForm, project: Project) -> JudgeForm:
    """The form, whose rubric, criteria and levels refresh the preview."""
    attrs = {
        "hx-post": reverse("judges:preview", args=[project.slug]),
        "hx-trigger": "input changed delay:400ms",
        "hx-target": "#preview",
        "hx-swap": "outerHTML",
        "hx-include": "closest form",
    }
    for name in ("template", "criteria", "scale"):
        form.fields[name].widget.attrs.update(attrs)
    return form


def as_typed(settings: JudgeSettings) -> dict[str, Any]:
    """The fields of the form for these settings."""
    return {
        "kind": settings.kind,
        "template": settings.template,
        "criteria": settings.criteria,
        "scale": settings.scale,
        "ordinal": settings.scale.ordinal,
        "show_expected": settings.show_expected,
        "structured": settings.structured,
        "samples": settings.samples,
        "combine": settings.combine,
        "temperature": settings.parameters.get("temperature", 0),
        "max_tokens": settings.parameters.get("max_tokens", 1024),
    }


def typed_of(version: JudgeVersion) -> dict[str, Any]:
    return {**as_typed(version.settings), "model_ref": version.model_ref,
            "name": version.judge.name}  # fmt: skip


def texts_of(values: Mapping[str, Any]) -> dict[str, str]:
    """The example's texts by variable of a rubric, for a judge of either kind."""
    found = {name: str(values.get(name, "")) for name in ExampleForm.base_fields}
    return {**found, "answer_a": found["answer"], "answer_b": found["expected"]}


def _level(line: str) -> dict[str, Any]:
    label, _, rest = line.partition("|")
    score, _, meaning = rest.partition("|")
    try:
        number: Any = float(score)
    except ValueError:
        number = None
    return {"label": label.strip(), "score": number, "meaning": meaning.strip()}
