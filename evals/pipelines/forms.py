"""The forms of pipelines: name, rows, money, results."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils import timezone

from evals.forms import described
from evals.pipelines import sources
from evals.pipelines.actions import LARGEST_BUDGET, Source
from evals.pipelines.models import Row, Run
from requests_log.datasets.models import DatasetVersion
from requests_log.selection import chosen
from workbench.core.errors import InvalidInput
from workbench.core.models import Project

MOST_VERSIONS = 200
LARGEST_FILE = 20 << 20
SPLITS = [("", "All rows"), ("train", "Training rows"), ("heldout", "Held-out rows")]
VERSION, REQUESTS, CSV, SAME = "version", "requests", "csv", "same"


class PipelineForm(forms.Form):
    """What a pipeline is called."""

    name = forms.CharField(
        max_length=120,
        widget=forms.TextInput({"autocomplete": "off", "placeholder": "Teach support"}),
    )
    description = forms.CharField(
        max_length=2000, required=False, widget=forms.TextInput({"autocomplete": "off"})
    )


class SourceForm(forms.Form):
    """Where rows come from; `before` is a run whose own table can be taken again."""

    rows = forms.ChoiceField(
        choices=[
            (VERSION, "A dataset version"),
            (REQUESTS, "Logged calls"),
            (CSV, "A CSV file"),
            (SAME, "The rows of the last run"),
        ],
        widget=forms.RadioSelect,
        initial=CSV,
    )
    version = forms.ModelChoiceField(
        DatasetVersion.objects.none(), label="Dataset version", required=False, empty_label=None
    )
    split = forms.ChoiceField(label="Rows", choices=SPLITS, required=False)
    query = forms.CharField(
        label="Calls that match",
        max_length=2000,
        required=False,
        widget=forms.TextInput({"class": "mono", "spellcheck": "false", "autocomplete": "off",
                                "placeholder": "model:gpt-5 status:ok since:7d"}),
        help_text="A query of the log. Left empty, all calls that were answered.",
    )  # fmt: skip
    file = forms.FileField(
        label="CSV file",
        required=False,
        widget=forms.FileInput({"accept": ".csv,text/csv"}),
        help_text="The first line names the columns. Up to 20,000 rows.",
    )
    pasted = forms.CharField(
        label="Or paste it",
        required=False,
        strip=False,
        widget=forms.Textarea({"class": "mono", "spellcheck": "false", "rows": 3,
                               "placeholder": "question,answer\nWhere is my parcel?,…"}),
    )  # fmt: skip

    def __init__(self, project: Project, *args: Any, before: Run | None = None, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.project, self.before = project, before
        versions = DatasetVersion.objects.in_project(project).select_related("dataset")
        self.versions = list(versions.order_by("-created_at")[:MOST_VERSIONS])
        self.fields["version"].queryset = versions  # type: ignore[attr-defined]
        self.fields["version"].choices = [(v.pk, described(v)) for v in self.versions]  # type: ignore[attr-defined]
        if before is None:
            self.fields["rows"].choices = self.fields["rows"].choices[:-1]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if values.get("rows") == VERSION and not values.get("version"):
            self.add_error("version", "Choose a frozen version.")
        return values

    def source(self) -> Source:
        """The chosen rows.

        Raises:
            InvalidInput: they cannot be used; the sentence says why.
        """
        values = self.cleaned_data
        if values["rows"] == VERSION:
            return Source(sources.of_version(values["version"], values["split"] or None))
        if values["rows"] == REQUESTS:
            everything = chosen(at=timezone.now(), everything=True, query=values["query"])
            everything.rows(self.project)
            return Source(sources.of_requests(everything))
        if values["rows"] == SAME and self.before is not None:
            return source_of_run(self.before)
        return self._table()

    def _table(self) -> Source:
        file, pasted = self.cleaned_data.get("file"), self.cleaned_data["pasted"]
        if file is None and not pasted.strip():
            raise InvalidInput("Choose a CSV file, or paste its lines.")
        rows = sources.rows_of_csv(_text_of(file) if file else pasted)
        return Source.of_rows(rows, f"{file.name} ({len(rows):,} rows)" if file else "")


class RunForm(forms.Form):
    """How much of it, and for how much money."""

    limit = forms.IntegerField(
        label="At most", min_value=1, required=False, help_text="Rows. Left empty, all of them."
    )
    budget = forms.DecimalField(
        label="Budget, $",
        min_value=0.000001,
        max_value=float(LARGEST_BUDGET),
        decimal_places=6,
        max_digits=14,
        required=False,
        help_text="The run stops before it costs more. Left empty, no bound.",
    )
    in_batches = forms.BooleanField(
        label="Ask in batches",
        required=False,
        help_text="Through the provider's Batch API. Answers come within a day; no worker waits "
        "for them.",
    )


def source_of_run(run: Run) -> Source:
    """The rows of a run, for another one."""
    if run.source["kind"] != sources.ROWS:
        return Source(run.source)
    rows = Row.objects.of_run(run).filter(parent=None).order_by("position")
    return Source(run.source, list(rows.values_list("variables", flat=True)))


def as_typed(run: Run | None) -> dict[str, Any]:
    """The fields of `SourceForm` for the rows of a run."""
    if run is None:
        return {}
    told = run.source
    if told["kind"] == sources.VERSION:
        return {"rows": VERSION, "version": told["version"], "split": told.get("split") or ""}
    if told["kind"] == sources.REQUESTS and not told["selection"]["ids"]:
        return {"rows": REQUESTS, "query": told["selection"]["query"]}
    return {"rows": SAME}


def _text_of(file: Any) -> str:
    if file.size > LARGEST_FILE:
        raise InvalidInput("The file is larger than 20 MiB. Import it as a dataset.")
    try:
        return str(file.read().decode("utf-8"))
    except UnicodeDecodeError as problem:
        raise InvalidInput("The file is no UTF-8 text. Save it as CSV in UTF-8.") from problem
