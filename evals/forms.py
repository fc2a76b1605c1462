"""The form of a new comparison."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django import forms
from django.urls import reverse

from evals.actions import DEFAULT_PARAMETERS, MOST_CANDIDATES, CandidateSpec, Grading
from evals.candidates import MOST_SHOTS
from evals.graders.exact import EXACT
from evals.graders.registry import GRADERS
from evals.judges.choosing import PREFIX, offered, value_of
from evals.models import JUDGE, Comparison
from requests_log.datasets.models import DatasetVersion
from workbench.core.models import Project

LONGEST_LABEL = 60
ROWS_SHOWN = 3
MOST_VERSIONS = 200
RULES = [(one.name, one.label) for one in GRADERS.values()]
SPLITS = [("heldout", "Held-out rows"), ("train", "Training rows")]


class CandidateForm(forms.Form):
    """A candidate: a model ref, and what the comparison calls it (the ref itself if left empty)."""

    label = forms.CharField(
        max_length=LONGEST_LABEL,
        required=False,
        widget=forms.TextInput(attrs={"placeholder": "student", "autocomplete": "off"}),
    )
    model_ref = forms.CharField(
        label="Model ref",
        max_length=300,
        required=False,
        widget=forms.TextInput(attrs={"list": "model-refs", "autocomplete": "off", "class": "mono",
                                      "spellcheck": "false", "placeholder": "connection/model"}),
    )  # fmt: skip

    prompt = forms.CharField(
        max_length=300,
        required=False,
        widget=forms.TextInput(attrs={"list": "prompt-refs", "autocomplete": "off", "class": "mono",
                                      "spellcheck": "false", "placeholder": "as the row stands"}),
    )  # fmt: skip
    few_shot = forms.IntegerField(
        label="Examples",
        min_value=0,
        max_value=MOST_SHOTS,
        required=False,
        widget=forms.NumberInput(attrs={"placeholder": "none"}),
    )

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        more = values.get("label") or values.get("prompt") or values.get("few_shot")
        if more and not values.get("model_ref"):
            self.add_error("model_ref", "Name the model, or clear the line.")
        return values

    def spec(self) -> CandidateSpec:
        """The candidate of a line that names a model; without a label, called by what it is."""
        row = self.cleaned_data
        ref, prompt, shots = row["model_ref"].strip(), row["prompt"].strip(), row["few_shot"] or 0
        usual = [ref, *([prompt] if prompt else []), *([f"{shots} examples"] if shots else [])]
        label = row["label"].strip() or ", ".join(usual)[:LONGEST_LABEL]
        return CandidateSpec(label, ref, prompt, shots)


CandidateFormSet = forms.formset_factory(
    CandidateForm, extra=ROWS_SHOWN, max_num=MOST_CANDIDATES, absolute_max=MOST_CANDIDATES
)


class ComparisonForm(forms.Form):
    """What is compared on, and how the models are asked."""

    name = forms.CharField(
        max_length=120,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text="Left empty, it is named after its candidates.",
    )
    version = forms.ModelChoiceField(
        DatasetVersion.objects.none(),
        label="Dataset version",
        empty_label=None,
        help_text="Frozen, so every candidate answers the very same rows.",
    )
    split = forms.ChoiceField(
        label="Rows", choices=SPLITS, help_text="Held-out rows were kept away from training."
    )
    limit = forms.IntegerField(
        label="At most",
        min_value=1,
        required=False,
        help_text="The first so many rows. Left empty, all of them.",
    )
    temperature = forms.FloatField(
        min_value=0, max_value=2, initial=DEFAULT_PARAMETERS["temperature"],
        help_text="0 takes the likeliest answer.",
    )  # fmt: skip
    max_tokens = forms.IntegerField(
        label="Longest answer",
        min_value=1,
        max_value=100_000,
        initial=DEFAULT_PARAMETERS["max_tokens"],
        help_text="In tokens.",
    )

    grader = forms.ChoiceField(
        label="Graded by",
        choices=RULES,
        initial=EXACT.name,
        help_text="How an answer is scored against the expected one.",
        widget=forms.Select(
            attrs={"hx-trigger": "change", "hx-target": "#grader-settings", "hx-swap": "outerHTML"}
        ),
    )
    pass_mark = forms.FloatField(
        label="Right from",
        min_value=0.01,
        max_value=1,
        required=False,
        help_text="The least score, 0 to 1, of an answer that counts as right. Left empty, as is "
        "usual for the grader.",
    )

    def __init__(self, project: Project, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["grader"].widget.attrs["hx-get"] = reverse("evals:grader", args=[project.slug])
        versions = DatasetVersion.objects.in_project(project).select_related("dataset")
        self.versions = list(versions.order_by("-created_at", "-pk")[:MOST_VERSIONS])
        self.judges = {value_of(one): one for one in offered(project, also=self._asked_judge())}
        if self.judges:
            named = [(value, f"Judge: {one}") for value, one in self.judges.items()]
            self.fields["grader"].choices = [("Rules", RULES), ("Judges", named)]  # type: ignore[attr-defined]
        self.fields["version"].queryset = versions  # type: ignore[attr-defined]
        self.fields["version"].choices = [(v.pk, described(v)) for v in self.versions]  # type: ignore[attr-defined]

    def _asked_judge(self) -> UUID | None:
        """An older version of a judge may be asked for, too: by a comparison made once more."""
        value = str(self.data.get("grader") or self.initial.get("grader") or "")
        try:
            return UUID(value.removeprefix(PREFIX)) if value.startswith(PREFIX) else None
        except ValueError:
            return None

    def _grading(self, settings: dict[str, Any]) -> Grading:
        values = self.cleaned_data
        version = self.judges.get(values["grader"])
        if version is None:
            return Grading(values["grader"], settings, values["pass_mark"])
        named = {"judge": version.judge.name, "version": version.number}
        return Grading(JUDGE, named, values["pass_mark"])

    def spec(
        self, candidates: list[CandidateSpec], grader_settings: dict[str, Any]
    ) -> dict[str, Any]:
        """The cleaned fields as `start_comparison` takes them."""
        values = self.cleaned_data
        made = " against ".join(candidate.label for candidate in candidates) or "Comparison"
        return {
            "name": values["name"].strip() or made[:120],
            "dataset_version": values["version"],
            "split": values["split"],
            "limit": values["limit"],
            "parameters": {name: values[name] for name in ("temperature", "max_tokens")},
            "candidates": candidates,
            "grading": self._grading(grader_settings),
        }


def as_asked(comparison: Comparison) -> dict[str, Any]:
    """The fields of the form that a comparison was started with, its version aside."""
    asked = {name: comparison.parameters.get(name) for name in ("temperature", "max_tokens")}
    judge = comparison.judge_version_id
    grader = f"{PREFIX}{judge}" if judge else comparison.grader
    mark = comparison.pass_mark
    return {**asked, "split": comparison.split, "grader": grader, "pass_mark": mark}


def described(version: DatasetVersion) -> str:
    """A version with its sizes, as a list of choices shows it."""
    return f"{version} ({version.heldout_rows:,} held out, {version.train_rows:,} to train on)"


def specs_of(formset: Any) -> list[CandidateSpec]:
    """The candidates of a valid formset, empty lines left out."""
    return [form.spec() for form in formset if form.cleaned_data.get("model_ref")]


def lines_of(comparison: Comparison) -> list[dict[str, Any]]:
    """Its candidates as lines of a new form."""
    names = ("label", "model_ref", "prompt", "few_shot")
    rows = comparison.candidates.order_by("position").values(*names)
    return [{**row, "few_shot": row["few_shot"] or None} for row in rows]


def typed_lines(values: Mapping[str, Any]) -> list[dict[str, str]]:
    """What stands in the lines of a posted formset, right or wrong."""
    return [
        {name: values.get(f"form-{n}-{name}", "") for name in CandidateForm.base_fields}
        for n in range(MOST_CANDIDATES)
        if f"form-{n}-model_ref" in values
    ]
