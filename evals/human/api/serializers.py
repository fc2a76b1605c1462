"""The shapes of the API of human evaluation: what may be sent, what comes back."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from evals.human.actions import USUAL_ITEMS
from evals.human.fields import Kind
from evals.human.models import MOST_RATERS_AN_ITEM, Rating, Study
from evals.human.sampling import MOST_ITEMS

Shape = serializers.Serializer[Any]


class FieldShape(Shape):
    """One question of a form."""

    key = serializers.CharField(
        required=False, max_length=40, help_text="Names its answers; made of the title if left out."
    )
    kind = serializers.CharField(help_text=f"One of {', '.join(Kind)}.")
    title = serializers.CharField(max_length=80)
    help = serializers.CharField(required=False, allow_blank=True, default="")
    per_message = serializers.BooleanField(
        required=False, default=False, help_text="Asked of every message of the assistant."
    )
    options = serializers.ListField(
        child=serializers.CharField(), required=False, default=list, help_text="Of choice, labels."
    )
    low = serializers.FloatField(required=False, default=1, help_text="Of number.")
    high = serializers.FloatField(required=False, default=5, help_text="Of number.")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """`required` is an attribute of DRF's own."""
        wanted = serializers.BooleanField(required=False, default=True)
        return {**super().get_fields(), "required": wanted}


class FormIn(Shape):
    name = serializers.CharField(max_length=120)
    questions = FieldShape(many=True)


class FormVersionIn(Shape):
    questions = FieldShape(many=True)


class FormVersionOut(Shape):
    id = serializers.UUIDField(source="form_id")
    name = serializers.CharField(source="form.name")
    version = serializers.IntegerField(source="number")
    questions = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()

    def get_questions(self, version: Any) -> list[dict[str, Any]]:
        return [field.as_json() for field in version.questions]


class StudyIn(Shape):
    """A study; with a `form` each answer is rated, without one two candidates are compared."""

    name = serializers.CharField(max_length=120, help_text="Raters see it: do not name the models.")
    form = serializers.UUIDField(required=False, allow_null=True, default=None)
    version = serializers.IntegerField(
        required=False,
        allow_null=True,
        default=None,
        help_text="Of the form; the newest if left out.",
    )
    comparison = serializers.UUIDField(required=False, allow_null=True, default=None)
    candidates = serializers.ListField(
        child=serializers.CharField(), required=False, default=list,
        help_text="Labels of the comparison; all of them if left out.",
    )  # fmt: skip
    query = serializers.CharField(
        required=False, allow_null=True, allow_blank=True, default=None,
        help_text="Of the log, instead of a comparison.",
    )  # fmt: skip
    dataset = serializers.SlugField(
        required=False, allow_null=True, default=None, help_text="Instead of a comparison."
    )
    items = serializers.IntegerField(
        required=False, min_value=1, max_value=MOST_ITEMS, default=USUAL_ITEMS
    )
    per_item = serializers.IntegerField(
        required=False, min_value=1, max_value=MOST_RATERS_AN_ITEM, default=1
    )
    per_rater = serializers.IntegerField(required=False, min_value=1, allow_null=True, default=None)
    raters = serializers.ListField(
        child=serializers.EmailField(), required=False, default=list,
        help_text="Members' e-mail addresses; everybody who may edit the project if left out.",
    )  # fmt: skip
    instructions = serializers.CharField(required=False, allow_blank=True, default="")
    both_bad = serializers.BooleanField(required=False, default=False)
    seed = serializers.IntegerField(
        required=False, allow_null=True, default=None, min_value=0, max_value=2**31,
        help_text="Draws the same items, sides and order again.",
    )  # fmt: skip


class RatersIn(Shape):
    raters = serializers.ListField(
        child=serializers.EmailField(),
        help_text="Members' e-mail addresses; none for everybody who may edit the project.",
    )


class StudyOut(Shape):
    """A study; what it is about in particular is told once it is finished."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    kind = serializers.CharField(help_text="rating or side_by_side")
    source = serializers.ChoiceField(Study.Source.choices)  # type: ignore[assignment]  # also an attribute of DRF fields
    form = serializers.UUIDField(source="form.form_id", default=None, allow_null=True)
    version = serializers.IntegerField(source="form.number", default=None, allow_null=True)
    per_item = serializers.IntegerField()
    per_rater = serializers.IntegerField(allow_null=True)
    both_bad = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    archived_at = serializers.DateTimeField(allow_null=True)


class RaterOut(Shape):
    rater = serializers.CharField(source="user.email")
    ratings = serializers.IntegerField(source="done")
    skipped = serializers.IntegerField()
    per_hour = serializers.FloatField(source="pace", allow_null=True)


class StudyProgressOut(StudyOut):
    done = serializers.IntegerField()
    total = serializers.IntegerField()
    raters = RaterOut(many=True)


class AnswerIn(Shape):
    """A rating of what `next` gave: `answers` of the form's fields by their keys, or the better
    side as `choice`; or `skip`."""

    slot = serializers.UUIDField()
    answers = serializers.DictField(required=False, default=dict)
    choice = serializers.ChoiceField(Rating.Choice.choices, required=False, default="")
    comment = serializers.CharField(required=False, allow_blank=True, default="")
    skip = serializers.BooleanField(required=False, default=False)


class WorkOut(Shape):
    """What is to be judged; `slot` is null when nothing is left. `answers` are one, or left and
    right; fields asked per message are answered for the indexes in `asked_about`."""

    slot = serializers.UUIDField(allow_null=True)
    question = serializers.ListField(child=serializers.DictField())
    answers = serializers.ListField(child=serializers.DictField())
    questions = serializers.ListField(child=serializers.DictField())
    asked_about = serializers.ListField(child=serializers.IntegerField())
    done = serializers.IntegerField()
    left = serializers.IntegerField()


class RatingOut(Shape):
    id = serializers.UUIDField()
    slot = serializers.UUIDField(source="slot_id")
    skip = serializers.BooleanField(source="is_skip")
    choice = serializers.CharField()
    answers = serializers.DictField()
    comment = serializers.CharField()
    at = serializers.DateTimeField()


class StudyResultsOut(Shape):
    """As the file of the results holds them; see docs/human-evaluation.md."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    kind = serializers.CharField()
    ratings = serializers.IntegerField()
    raters = serializers.ListField(child=serializers.DictField())
    disputed = serializers.ListField(child=serializers.DictField())
    questions = serializers.ListField(child=serializers.DictField(), required=False)
    candidates = serializers.ListField(child=serializers.DictField(), required=False)
    ties = serializers.IntegerField(required=False)
    both_bad = serializers.IntegerField(required=False)
    agreement = serializers.DictField(required=False)
