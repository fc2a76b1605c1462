"""Forms of the fine-tune pages."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from django import forms

from finetunes.actions.launch import require_training_rows
from finetunes.actions.registry import MODEL_NAME
from finetunes.bases import BUILT_IN, Base, find_base
from finetunes.defaults import ADAPTER_KNOBS, KNOBS, Knob, read_knobs
from finetunes.models import ModelVersion, TrainingRun
from requests_log.datasets.models import DatasetVersion
from workbench.core.errors import DomainError, InvalidInput
from workbench.core.models import Project

FOLDED = (*ADAPTER_KNOBS, "seed")
MOST_VERSIONS = 200
Choices = list[tuple[str, list[tuple[str, str]]]]


class LaunchForm(forms.Form):
    """Everything a run is told. `version` and `base` are there once the form is valid."""

    name = forms.CharField(
        required=False,
        max_length=120,
        help_text="Left empty, it is named after the dataset version and the model.",
    )
    dataset_version = forms.ChoiceField()
    base_model = forms.CharField(
        label="Base model",
        max_length=300,
        initial="nano-base",
        help_text="A built-in model, a registered full model such as name:1, or a folder.",
        widget=forms.TextInput(attrs={"list": "base-models", "autocomplete": "off"}),
    )
    adapter = forms.ChoiceField(
        choices=[("lora", "LoRA"), ("full", "Full")], initial="lora", widget=forms.RadioSelect
    )
    over_length = forms.ChoiceField(
        label="Rows longer than the model can read",
        choices=[("refuse", "Stop and name the row"), ("drop", "Leave them out and report it")],
        help_text="Rows are never cut: a cut answer teaches the model to stop early.",
    )
    start_request_id = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, project: Project, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.project = project
        self.version: DatasetVersion | None = None
        self.base: Base | None = None
        self.known_bases = base_names(project)
        self._versions = _newest_versions(project)
        self.fields["dataset_version"] = _version_field(self._versions)
        self.fields["start_request_id"].initial = uuid4
        for knob in KNOBS:
            self.fields[knob.name] = _knob_field(knob)

    @property
    def has_versions(self) -> bool:
        return bool(self._versions)

    @property
    def shown_knobs(self) -> list[forms.BoundField]:
        return [self[knob.name] for knob in KNOBS if knob.name not in FOLDED]

    @property
    def folded_knobs(self) -> list[forms.BoundField]:
        return [self[knob.name] for knob in KNOBS if knob.name in FOLDED]

    @property
    def unfolds(self) -> bool:
        """Whether a folded field has something to say."""
        return any(name in self.errors for name in FOLDED)

    @property
    def knobs(self) -> dict[str, Any]:
        """What was typed into the knobs that are filled in."""
        values = {knob.name: self.cleaned_data.get(knob.name) for knob in KNOBS}
        return {name: value for name, value in values.items() if value not in (None, "")}

    @property
    def run_name(self) -> str:
        """The name given, or one made of the version and the model."""
        made = f"{self.version} on {self.base.name if self.base else ''}"
        return str(self.cleaned_data.get("name") or made)[:120]

    def clean_dataset_version(self) -> str:
        chosen = str(self.cleaned_data["dataset_version"])
        self.version = next(v for v in self._versions if str(v.pk) == chosen)
        _ask(require_training_rows, self.version)
        return chosen

    def clean_base_model(self) -> str:
        name = str(self.cleaned_data["base_model"])
        self.base = _ask(find_base, self.project, name)
        return name

    def clean(self) -> dict[str, Any]:
        for knob in KNOBS:
            try:
                read_knobs({knob.name: self.cleaned_data.get(knob.name)})
            except InvalidInput as problem:
                self.add_error(knob.name, problem.sentence)
        return self.cleaned_data


class RegisterForm(forms.Form):
    """The name to register a run's weights under."""

    model = forms.RegexField(
        MODEL_NAME.pattern + "$",
        label="Model name",
        strip=True,
        help_text="A new name, or one you have: then the weights become its next version.",
        error_messages={
            "invalid": "Use lower-case letters, digits, dots, - and _, such as capital-letter."
        },
        widget=forms.TextInput(attrs={"list": "model-names", "autocomplete": "off"}),
    )
    note = forms.CharField(required=False, max_length=500)


def again(run: TrainingRun) -> dict[str, Any]:
    """What the form starts from to run the same once more."""
    known = {knob.name for knob in KNOBS}
    chosen = {**run.hyperparameters, **run.adapter}
    return {
        "name": run.name,
        "dataset_version": str(run.dataset_version_id),
        "base_model": run.base_model,
        "adapter": run.adapter["kind"],
        "over_length": run.over_length,
        **{name: _shortest(value) for name, value in chosen.items() if name in known},
    }


def _shortest(value: float) -> str:
    """A number as people write it: 7, not 7.0."""
    return str(int(value)) if float(value).is_integer() else str(value)


def base_names(project: Project) -> list[str]:
    """The built-in models and the project's registered full models."""
    full = ModelVersion.objects.in_project(project).filter(kind=ModelVersion.Kind.FULL)
    registered = full.select_related("model").order_by("model__name", "-number")[:100]
    return [*BUILT_IN, *(version.ref for version in registered)]


def _newest_versions(project: Project) -> list[DatasetVersion]:
    found = DatasetVersion.objects.in_project(project).select_related("dataset")
    return list(found.order_by("-created_at", "-pk")[:MOST_VERSIONS])


def _by_dataset(versions: list[DatasetVersion]) -> Choices:
    groups: dict[str, list[tuple[str, str]]] = {}
    for version in versions:
        label = f"{version} · {version.train_rows:,} to train on, {version.heldout_rows:,} held out"
        groups.setdefault(version.dataset.name, []).append((str(version.pk), label))
    return list(groups.items())


def _version_field(versions: list[DatasetVersion]) -> forms.ChoiceField:
    return forms.ChoiceField(
        label="Dataset version",
        choices=_by_dataset(versions),
        initial=next((str(version.pk) for version in versions if version.train_rows), None),
        help_text="Frozen versions, newest first.",
        error_messages={"invalid_choice": "This version is not in the project. Choose another."},
    )


def _knob_field(knob: Knob) -> forms.CharField:
    attrs = {"inputmode": "numeric" if knob.whole else "decimal", "autocomplete": "off"}
    return forms.CharField(
        label=knob.label,
        required=True,
        initial=f"{knob.default:g}",
        help_text=knob.help,
        max_length=40,
        widget=forms.TextInput(attrs=attrs),
    )


def _ask(question: Any, *arguments: Any) -> Any:
    """Put a question of the domain; a refusal becomes the field's error."""
    try:
        return question(*arguments)
    except DomainError as problem:
        raise forms.ValidationError(problem.sentence) from problem
