"""What is asked before a starting point is put into a project."""

from __future__ import annotations

from typing import Any

from django import forms

from workbench.core.models import Project
from workbench.shell.starting.actions import usual_teacher
from workbench.shell.starting.library import all_points


class StartForm(forms.Form):
    """The model of its pipeline and its judge."""

    teacher = forms.CharField(
        label="Teacher",
        max_length=300,
        required=False,
        help_text="The model that the pipeline asks, and the judge. You can change it later.",
        widget=forms.TextInput(attrs={"list": "model-refs", "autocomplete": "off", "class": "mono",
                                      "spellcheck": "false"}),
    )  # fmt: skip

    def __init__(self, project: Project, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["teacher"].initial = usual_teacher(project)


class NewProjectForm(forms.Form):
    """A project's name, and what it begins with."""

    name = forms.CharField(
        max_length=120,
        error_messages={"required": "Give the project a name."},
        widget=forms.TextInput(attrs={"autofocus": True, "autocomplete": "off"}),
    )
    start = forms.ChoiceField(label="Start from", required=False, widget=forms.RadioSelect)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        points = [(point.name, point.title) for point in all_points()]
        self.fields["start"].choices = [("", "Nothing: an empty project"), *points]  # type: ignore[attr-defined]
