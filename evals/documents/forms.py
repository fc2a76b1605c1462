"""The form by which a teacher is asked for pairs."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, cast

from django import forms

from evals.documents.asking import AS_TEXT, LONGEST_PROMPT, MOST_PAIRS, SYSTEM
from evals.documents.making.starting import Asking
from evals.judges.choosing import offered
from workbench.core.models import Project

_REF = {"list": "model-refs", "autocomplete": "off", "class": "mono", "spellcheck": "false",
        "placeholder": "connection/model"}  # fmt: skip


class AskingForm(forms.Form):
    """Who writes the pairs, who judges them, how many, and what is asked."""

    teacher = forms.CharField(
        max_length=300,
        widget=forms.TextInput(attrs=_REF),
        help_text="The model that writes the pairs: connection/model, or one you registered.",
    )
    judge = forms.CharField(
        max_length=300,
        required=False,
        widget=forms.TextInput(attrs=_REF),
        label="Checking model",
        help_text="Asked whether the chunk supports a pair, which is dropped if not. Left empty, "
        "nothing is checked, unless a judge of the project is chosen.",
    )
    judge_version = forms.ChoiceField(
        label="Checked by",
        required=False,
        help_text="A judge of the project reads the chunk as its context and asks its own model.",
    )
    count = forms.IntegerField(
        label="Pairs per chunk",
        min_value=1,
        max_value=MOST_PAIRS,
        initial=5,
        help_text="Asked for too many, a model makes some up.",
    )
    budget = forms.DecimalField(
        label="Budget, $",
        required=False,
        min_value=Decimal("0.01"),
        max_digits=10,
        decimal_places=2,
        help_text="The run stops before it would cost more. It can go on later.",
    )
    by_topic = forms.BooleanField(
        label="Let the teacher split long sections by topic",
        required=False,
        help_text="It names lines only, so none of the text is lost; one more call for each.",
    )
    number = forms.IntegerField(label="Chunk to try", min_value=1, initial=1, required=False)
    prompt = forms.CharField(
        label="Prompt of the registry",
        max_length=300,
        required=False,
        widget=forms.TextInput(
            attrs={**_REF, "list": "prompt-refs", "placeholder": "notes/pairs@production"}
        ),
        help_text="One with {{chunk}} in it. Left empty, the prompt below is used.",
    )
    system = forms.CharField(
        label="What it is told",
        required=False,
        initial=SYSTEM,
        max_length=LONGEST_PROMPT,
        widget=forms.Textarea(attrs={"rows": 2, "class": "mono", "spellcheck": "false"}),
    )
    user = forms.CharField(
        label="What it is asked",
        required=False,
        initial=AS_TEXT,
        max_length=LONGEST_PROMPT,
        widget=forms.Textarea(attrs={"rows": 18, "class": "mono", "spellcheck": "false"}),
    )

    def __init__(self, project: Project, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        judges = [(str(one.pk), f"{one} ({one.model_ref})") for one in offered(project)]
        built_in = ("", "The checking model, with our question")
        cast(forms.ChoiceField, self.fields["judge_version"]).choices = [built_in, *judges]

    def asking(self) -> Asking:
        """The cleaned fields."""
        values: dict[str, Any] = self.cleaned_data
        names = ("teacher", "judge", "count", "system", "user", "by_topic", "judge_version")
        told = {name: values[name] for name in names}
        for name in ("system", "user"):  # browsers end every line with CR LF
            told[name] = values[name].replace("\r\n", "\n")
        told["teacher"], told["judge"] = values["teacher"].strip(), values["judge"].strip()
        return Asking(**told, prompt=values["prompt"].strip())
