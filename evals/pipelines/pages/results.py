"""Using what a run found: examples, preference pairs, corrections or scores."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from evals.pipelines.actions import use_results
from evals.pipelines.models import Run
from evals.pipelines.pages.runs import run_of
from evals.pipelines.results import CORRECTIONS, DATASET, PAIRS, SCORES, Wanted
from requests_log.datasets.actions import create_dataset
from requests_log.datasets.models import Dataset
from requests_log.datasets.tags import read_lines
from workbench.core.access import ProjectRequest, project_page
from workbench.core.errors import DomainError
from workbench.core.models import Role

USES = [
    (DATASET, "Examples: the prompt and the answer"),
    (PAIRS, "Preference pairs: the best and the worst sample"),
    (CORRECTIONS, "Corrections of the logged calls the rows came from"),
    (SCORES, "Scores of the logged calls the rows came from"),
]
DATASETS = (DATASET, PAIRS)


class ResultsForm(forms.Form):
    """What is made of a run, and where it goes."""

    to = forms.ChoiceField(label="Make", choices=USES)
    answer = forms.ChoiceField(label="Of the step", help_text="Its value is the answer or score.")
    question = forms.CharField(
        label="Question",
        max_length=100,
        required=False,
        widget=forms.TextInput({"class": "mono", "list": "values", "autocomplete": "off"}),
        help_text="A column that is asked. Left empty, the messages that were sent.",
    )
    dataset = forms.ModelChoiceField(
        Dataset.objects.none(),
        label="Dataset",
        required=False,
        empty_label="A new dataset…",
        to_field_name="slug",
        help_text="For examples and pairs.",
    )
    name = forms.CharField(
        label="Name",
        max_length=120,
        required=False,
        widget=forms.TextInput({"autocomplete": "off"}),
        help_text="Of the new dataset, or of the scores.",
    )

    tags = forms.CharField(
        label="Tags",
        max_length=2000,
        required=False,
        widget=forms.TextInput(
            {"class": "mono", "autocomplete": "off", "placeholder": "batch:7, topic:{{topic}}"}
        ),
        help_text="Of the examples: name:value, parted by commas. A value may hold {{variables}} "
        "of the row. The dataset can then be filtered and frozen by them.",
    )

    def __init__(self, run: Run, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        datasets = Dataset.objects.in_project(run.project).order_by("name")
        self.fields["dataset"].queryset = datasets  # type: ignore[attr-defined]
        names = [step["name"] for step in run.definition.steps]
        self.fields["answer"].choices = [(name, name) for name in names]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        wants_dataset = values.get("to") in DATASETS and not values.get("dataset")
        if wants_dataset and not values.get("name", "").strip():
            self.add_error("name", "Name the new dataset, or choose one that is there.")
        return values


@require_http_methods(["GET", "POST"])
@project_page(Role.EDITOR)
def examples(request: ProjectRequest, run_id: UUID) -> HttpResponse:
    """The form, and what it does."""
    run = run_of(request, run_id)
    if request.method == "GET":
        return _page(request, run, ResultsForm(run, initial=_likely(run)))
    form = ResultsForm(run, request.POST)
    if form.is_valid():
        try:
            return _made(request, run, form.cleaned_data)
        except DomainError as problem:
            form.add_error(None, problem.sentence)
    return _page(request, run, form, status=422)


def _made(request: ProjectRequest, run: Run, values: dict[str, Any]) -> HttpResponse:
    with transaction.atomic():  # what cannot be made leaves no empty dataset behind
        dataset = _dataset(request, values)
        use_results(run, wanted=_wanted(values, dataset), by=request.user)
    messages.success(request, "They are being made. The jobs on top of the page show how far.")
    if dataset is not None:
        return redirect("datasets:dataset", request.project.slug, dataset.slug)
    return redirect("pipelines:run", request.project.slug, run.pk)


def _dataset(request: ProjectRequest, values: dict[str, Any]) -> Dataset | None:
    """Where examples go, made if it is new; None for what is no example."""
    if values["to"] not in DATASETS:
        return None
    found: Dataset | None = values["dataset"]
    return found or create_dataset(request.project, name=values["name"], by=request.user)


def _wanted(values: dict[str, Any], dataset: Dataset | None) -> Wanted:
    to, answer, question = values["to"], values["answer"], values["question"].strip()
    if dataset is None:
        return Wanted(to, answer, question, name=values["name"].strip())
    return Wanted(to, answer, question, dataset.pk, tags=read_lines(values["tags"]))


def _likely(run: Run) -> dict[str, Any]:
    """What is made most often: pairs where samples were chosen from, else examples."""
    found = {"name": run.pipeline.name, "to": DATASET}
    for step in run.definition.steps:
        if step["kind"] in ("prompt", "human"):
            found |= {"answer": step["name"], "to": DATASET}
        elif step["kind"] == "best_of":
            found |= {"answer": step["name"], "to": PAIRS}
    return found


def _page(
    request: ProjectRequest, run: Run, form: ResultsForm, *, status: int = 200
) -> HttpResponse:
    columns = run.source.get("columns", ["question"])
    context = {"run": run, "form": form, "columns": columns}
    return render(request, "pipelines/examples.html", context, status=status)
