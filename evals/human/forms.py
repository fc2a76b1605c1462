"""The forms of a new study and of a rating form's fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import QuerySet
from django.http import QueryDict
from django.urls import reverse
from django.utils import timezone

from evals.human.actions import LONGEST_INSTRUCTIONS, USUAL_ITEMS, Matching, Plan, Sides
from evals.human.fields import LONGEST_HELP, LONGEST_TITLE, MOST_FIELDS, Kind
from evals.human.models import MOST_RATERS_AN_ITEM, RatingFormVersion, Study
from evals.human.sampling import MOST_ITEMS
from evals.models import Candidate, Comparison
from requests_log.datasets.models import Dataset
from workbench.core.models import Project, User

MOST_CHOICES = 200
_SHOWN_ANEW = {
    "hx-trigger": "change", "hx-include": "#study-form", "hx-params": "not csrfmiddlewaretoken",
    "hx-target": "#study-form", "hx-select": "#study-form", "hx-swap": "outerHTML",
}  # fmt: skip
"""Of fields on which others depend."""


class StudyForm(forms.Form):
    """What is judged, how, and by whom. Which fields are shown follows from kind and source."""

    kind = forms.ChoiceField(
        label="People are asked",
        choices=[
            (Study.Kind.SIDE_BY_SIDE, "which of two answers is better, side by side"),
            (Study.Kind.RATING, "the questions of a rating form, about each answer"),
        ],
        initial=Study.Kind.SIDE_BY_SIDE,
    )
    source = forms.ChoiceField(label="About", choices=Study.Source.choices)
    comparison = forms.ModelChoiceField(Comparison.objects.none(), empty_label=None, required=False)
    labels = forms.MultipleChoiceField(
        label="Candidates",
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    query = forms.CharField(
        label="Query",
        required=False,
        max_length=2_000,
        widget=forms.TextInput(attrs={"class": "mono", "placeholder": "since:7d -status:error"}),
        help_text="As in the log. Of what matches and succeeded, a sample is drawn.",
    )
    dataset = forms.ModelChoiceField(Dataset.objects.none(), empty_label=None, required=False)
    form = forms.ModelChoiceField(
        RatingFormVersion.objects.none(), label="Rating form", empty_label=None, required=False
    )
    items = forms.IntegerField(
        label="Answers, at most",
        min_value=1,
        max_value=MOST_ITEMS,
        initial=USUAL_ITEMS,
        help_text="Drawn at random, shown in random order.",
    )
    per_item = forms.IntegerField(
        label="People per answer",
        min_value=1,
        max_value=MOST_RATERS_AN_ITEM,
        initial=1,
        help_text="From 2 on you see how far they agree.",
    )
    per_rater = forms.IntegerField(
        label="Answers per person, at most",
        min_value=1,
        required=False,
        help_text="Left empty, as many as there are.",
    )
    raters = forms.ModelMultipleChoiceField(
        User.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="Raters",
        help_text="Choose none for everybody who may edit the project. Viewers can be chosen, too.",
    )
    both_bad = forms.BooleanField(
        label="Offer “both bad”", required=False, help_text="Counts as a tie in the win rate."
    )
    instructions = forms.CharField(
        required=False,
        max_length=LONGEST_INSTRUCTIONS,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Shown to raters above every answer.",
    )
    name = forms.CharField(
        max_length=120,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text="Raters see it: do not name the models.",
    )

    def __init__(self, project: Project, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("kind", "source", "comparison"):
            own = {**_SHOWN_ANEW, "hx-get": reverse("human:new", args=[project.slug])}
            self.fields[name].widget.attrs.update(own)
        comparisons = Comparison.objects.in_project(project).newest_first()
        self._offer("comparison", comparisons)
        self._offer("dataset", Dataset.objects.in_project(project).newest_first())
        versions = RatingFormVersion.objects.in_project(project).newest_of_each()
        self._offer("form", versions.select_related("form"))
        members = User.objects.filter(memberships__project=project).order_by("name", "email")
        self.fields["raters"].queryset = members  # type: ignore[attr-defined]
        labels = [candidate.label for candidate in self.candidates()]
        self.fields["labels"].choices = [(one, one) for one in labels]  # type: ignore[attr-defined]
        self.fields["labels"].initial = labels[:2] if self.is_side_by_side else labels
        self._require()
        if self.is_side_by_side:
            comparison_only = [(Study.Source.COMPARISON, Study.Source.COMPARISON.label)]
            self.fields["source"].choices = comparison_only  # type: ignore[attr-defined]

    @classmethod
    def typed(cls, project: Project, query: QueryDict) -> StudyForm:
        """The form with what stands in it, not judged yet."""
        several = ("labels", "raters")
        given: dict[str, Any] = {name: query.getlist(name) for name in several if name in query}
        given |= {name: value for name, value in query.items() if name not in several}
        return cls(project, initial=given)

    def _offer(self, name: str, rows: QuerySet[Any]) -> None:
        self.fields[name].queryset = rows  # type: ignore[attr-defined]
        self.fields[name].choices = [(one.pk, str(one)) for one in rows[:MOST_CHOICES]]  # type: ignore[attr-defined]

    def _require(self) -> None:
        """What is shown must be chosen."""
        shown = {self.shown_source} & {"comparison", "dataset"}
        for name in shown if self.is_side_by_side else {*shown, "form"}:
            self.fields[name].required = True
            word = "rating form" if name == "form" else name
            self.fields[name].error_messages["required"] = f"Choose a {word}; make one if need be."

    def now(self, name: str) -> str:
        """What stands in a field, typed or usual."""
        return str(self[name].value() or "")

    @property
    def is_side_by_side(self) -> bool:
        return self.now("kind") != Study.Kind.RATING

    @property
    def shown_source(self) -> str:
        return "comparison" if self.is_side_by_side else self.now("source") or "comparison"

    def candidates(self) -> list[Candidate]:
        """Of the chosen comparison, or the one the list begins with."""
        offered = [str(pk) for pk, _ in self.fields["comparison"].choices]  # type: ignore[attr-defined]
        asked = self.now("comparison")
        chosen = asked if asked in offered else next(iter(offered), "")
        if not chosen:
            return []
        return list(Candidate.objects.filter(comparison=UUID(chosen)).order_by("position"))

    def spec(self) -> dict[str, Any]:
        """The cleaned fields as `start_study` takes them."""
        values = self.cleaned_data
        rating = values["kind"] == Study.Kind.RATING
        kind = Study.Kind(values["kind"]).label
        return {
            "name": values["name"].strip() or f"{kind}, {timezone.localdate():%-d %B}",
            "of": self._of(values),
            "form": values["form"] if rating else None,
            "plan": Plan(
                items=values["items"],
                per_item=values["per_item"],
                per_rater=values["per_rater"],
                raters=list(values["raters"]),
                instructions=values["instructions"],
                both_bad=values["both_bad"] and not rating,
            ),
        }

    def _of(self, values: Mapping[str, Any]) -> Sides | Matching | Dataset:
        if values["kind"] != Study.Kind.RATING or values["source"] == Study.Source.COMPARISON:
            return Sides(values["comparison"], values["labels"])
        if values["source"] == Study.Source.LOG:
            return Matching(values["query"])
        dataset: Dataset = values["dataset"]
        return dataset


class RatersForm(forms.Form):
    """Who rates a study from now on."""

    raters = forms.ModelMultipleChoiceField(
        User.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Choose none for everybody who may edit the project. What those who go have said "
        "stays and counts.",
    )

    def __init__(self, study: Study, *args: Any, **kwargs: Any) -> None:
        chosen = [] if study.everybody else list(study.raters.values_list("pk", flat=True))
        super().__init__(*args, **{"initial": {"raters": chosen}, **kwargs})
        members = User.objects.filter(memberships__project=study.project_id)
        blind = members.exclude(pk__in=study.stepped_back.values("pk"))
        self.fields["raters"].queryset = blind.order_by("name", "email")  # type: ignore[attr-defined]


class FieldForm(forms.Form):
    """One field of a rating form in the editor."""

    key = forms.CharField(required=False, widget=forms.HiddenInput)
    title = forms.CharField(
        label="Question",
        max_length=LONGEST_TITLE,
        widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": "Is it helpful?"}),
    )
    kind = forms.ChoiceField(label="Answer", choices=[(one.value, one.label) for one in Kind])
    help = forms.CharField(
        label="Help",
        max_length=LONGEST_HELP,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    options = forms.CharField(label="Options, one a line", widget=forms.Textarea(attrs={"rows": 3}))
    low = forms.CharField(label="Lowest", initial="1")
    high = forms.CharField(label="Highest", initial="10")
    required = forms.BooleanField(label="Must be answered", required=False, initial=True)
    per_message = forms.BooleanField(
        label="Asked of every message of the assistant", required=False
    )

    @property
    def shows_options(self) -> bool:
        return str(self["kind"].value()) in (Kind.CHOICE, Kind.LABELS)

    @property
    def shows_numbers(self) -> bool:
        return str(self["kind"].value()) == Kind.NUMBER


def field_forms(fields: Sequence[Mapping[str, Any]]) -> list[FieldForm]:
    """The editor's forms of these fields."""
    return [FieldForm(prefix=f"f{n}", initial=_as_typed(field)) for n, field in enumerate(fields)]


def _as_typed(field: Mapping[str, Any]) -> dict[str, Any]:
    numbers = {
        name: f"{field[name]:g}" if isinstance(field[name], float) else field[name]
        for name in ("low", "high")
        if name in field
    }
    return {**field, **numbers, "options": _lines(field.get("options"))}


def _lines(options: object) -> str:
    return "\n".join(str(one) for one in options) if isinstance(options, list | tuple) else ""


def posted_fields(form: QueryDict) -> list[dict[str, Any]]:
    """What stands in the editor, in the shape a version stores; not judged yet."""
    places = [n for n in range(MOST_FIELDS) if f"f{n}-kind" in form]
    texts = ("key", "title", "kind", "help", "low", "high")
    return [
        {name: form.get(f"f{n}-{name}", "") for name in texts if f"f{n}-{name}" in form}
        | {name: f"f{n}-{name}" in form for name in ("required", "per_message")}
        | {"options": form.get(f"f{n}-options", "").splitlines()}
        for n in places
    ]


def changed(fields: list[dict[str, Any]], operation: str) -> list[dict[str, Any]]:
    """The fields after a button of the editor: "add", "up-2", "down-0", "remove-1"."""
    name, _, place = operation.partition("-")
    if name == "add" and len(fields) < MOST_FIELDS:
        return [*fields, {"kind": Kind.STARS.value, "required": True}]
    at = int(place) if place.isdecimal() and int(place) < len(fields) else None
    if at is None:
        return fields
    rest = fields[:at] + fields[at + 1 :]
    if name == "remove":
        return rest
    to = {"up": max(0, at - 1), "down": at + 1}.get(name, at)
    return [*rest[:to], fields[at], *rest[to:]]
