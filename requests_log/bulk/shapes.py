"""The shapes of the bulk actions' API, and the selection that calls describe."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rest_framework import serializers

from requests_log.bulk.actions import outcome, sentence
from requests_log.bulk.models import BulkAction
from requests_log.models import ScoreType
from requests_log.selection import MAX_IDS, Selection, chosen
from workbench.core.errors import InvalidInput

Shape = serializers.Serializer[Any]


class SelectionIn(Shape):
    """Logged requests: those of `ids`, or all that match `query` but those of `except`.

    Without `ids` and `query`, `all` must be true.
    """

    query = serializers.CharField(required=False, allow_blank=True, default="")
    ids = serializers.ListField(child=serializers.UUIDField(), required=False, max_length=MAX_IDS)
    all = serializers.BooleanField(required=False, default=False)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """`except` is a word of Python's."""
        excluded = serializers.ListField(
            child=serializers.UUIDField(), required=False, max_length=MAX_IDS
        )
        return {**super().get_fields(), "except": excluded}


class BulkActionIn(SelectionIn):
    """What to do: `tag` and `score` take `name` and `value`, `untag` takes `name`."""

    action = serializers.ChoiceField(["tag", "untag", "score", "delete"])
    name = serializers.CharField(required=False, allow_blank=True, default="")
    value = serializers.JSONField(
        required=False, help_text="A text; for a score also a number, true or false."
    )
    data_type = serializers.ChoiceField(ScoreType.choices, required=False)
    comment = serializers.CharField(required=False, allow_blank=True, default="")


class BulkActionOut(Shape):
    """A bulk action; with a `job` it is done in the background (`/api/v1/jobs/<id>`)."""

    id = serializers.UUIDField()
    action = serializers.CharField(source="kind")
    title = serializers.CharField()
    state = serializers.ChoiceField(BulkAction.State.choices)
    counts = serializers.SerializerMethodField()
    restored = serializers.IntegerField(help_text="Rows that undoing put back.")
    sentence = serializers.SerializerMethodField()
    job = serializers.UUIDField(source="job_id", allow_null=True)
    undo_job = serializers.UUIDField(source="undo_job_id", allow_null=True)
    created_at = serializers.DateTimeField()
    undo_until = serializers.DateTimeField()
    undone_at = serializers.DateTimeField(allow_null=True)

    def get_counts(self, action: BulkAction) -> dict[str, Any]:
        return outcome(action)

    def get_sentence(self, action: BulkAction) -> str:
        return sentence(action)


class BulkActionPageOut(Shape):
    """A page of bulk actions, newest first; give `next` as `before` for the following one."""

    actions = BulkActionOut(many=True)
    next = serializers.UUIDField(allow_null=True)


def selection_of(values: Mapping[str, Any], *, at: datetime) -> Selection:
    """The selection that a call's checked values describe.

    Raises:
        InvalidInput: nothing says which requests are meant.
    """
    if "ids" not in values and not values["all"] and not values["query"].strip():
        raise InvalidInput('Say which requests: give "ids", a "query", or "all": true.')
    return chosen(
        at=at,
        ids=values.get("ids", ()),
        everything="ids" not in values,
        query=values["query"],
        excluded=values.get("except", ()),
    )
