"""The shapes of scores, comments and corrected answers in the API."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from requests_log.models import Comment, Correction, ScoreOrigin, ScoreType

Shape = serializers.Serializer[Any]


@extend_schema_field(OpenApiTypes.ANY)
class Value(serializers.JSONField):
    """A number, true or false, or a text."""


class ScoreChangeIn(Shape):
    """What a score says. What is left out stays."""

    name = serializers.CharField(required=False)
    value = Value(required=False)
    data_type = serializers.ChoiceField(ScoreType.choices, required=False)
    comment = serializers.CharField(required=False, allow_blank=True, trim_whitespace=False)


class ScoreIn(Shape):
    """A score of one request or of one trace; what it names may be logged later.

    Without a `data_type` the value's own is taken, and a text is a text.
    """

    id = serializers.UUIDField(required=False, help_text="Version 7; made here when left out.")
    request_id = serializers.UUIDField(required=False)
    trace_id = serializers.CharField(required=False, max_length=500)
    name = serializers.CharField()
    value = Value()
    data_type = serializers.ChoiceField(ScoreType.choices, required=False)
    origin = serializers.ChoiceField(ScoreOrigin.choices, default=ScoreOrigin.END_USER)
    author = serializers.CharField(required=False, allow_blank=True)
    comment = serializers.CharField(required=False, allow_blank=True)
    at = serializers.DateTimeField(required=False)


class ScoreOut(Shape):
    """A score."""

    id = serializers.UUIDField()
    request_id = serializers.UUIDField(allow_null=True)
    trace_id = serializers.CharField(allow_null=True)
    name = serializers.CharField()
    value = Value()
    data_type = serializers.ChoiceField(ScoreType.choices)
    origin = serializers.ChoiceField(ScoreOrigin.choices)
    author = serializers.CharField(allow_null=True)
    comment = serializers.CharField(allow_null=True)
    at = serializers.DateTimeField()
    received_at = serializers.DateTimeField()
    edited_at = serializers.DateTimeField(allow_null=True)
    edited_by = serializers.CharField(allow_null=True)


class ScorePageOut(Shape):
    """A page of scores, newest first; give `next` as `before` for the following one."""

    scores = ScoreOut(many=True)
    next = serializers.UUIDField(allow_null=True)


class CommentIn(Shape):
    """What is said about a request."""

    text = serializers.CharField()


class CommentOut(Shape):
    """A comment; `author` is null where a program wrote it, or its author is gone."""

    id = serializers.UUIDField()
    request_id = serializers.UUIDField()
    author = serializers.SerializerMethodField()
    text = serializers.CharField()
    created_at = serializers.DateTimeField()
    edited_at = serializers.DateTimeField(allow_null=True)

    def get_author(self, comment: Comment) -> str | None:
        return str(comment.author) if comment.author else None


class CorrectionIn(Shape):
    """How an answer should have been: a text, an assistant's message, or null.

    Null lets the answer that was logged stand again. `based_on` is the number of the correction
    that the writer saw, 0 for none: with it, nobody's newer correction is overruled unseen.
    """

    answer = Value(allow_null=True)
    note = serializers.CharField(required=False, allow_blank=True, default="")
    based_on = serializers.IntegerField(required=False, min_value=0, max_value=2**31 - 1)


class CorrectionOut(Shape):
    """A correction; the highest `number` is in force."""

    number = serializers.IntegerField()
    answer = Value(allow_null=True, help_text="An assistant's message; null withdraws.")
    note = serializers.CharField()
    author = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()

    def get_author(self, correction: Correction) -> str | None:
        return str(correction.author) if correction.author else None
