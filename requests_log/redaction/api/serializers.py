"""The shapes of the redaction API."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from requests_log.redaction.preview import MOST_CALLS

Shape = serializers.Serializer[Any]
RULES = (
    "detectors: name to label, hash or drop; patterns: objects with name, pattern, label, "
    "replacement and on; places: where to look; keys: whether names in JSON are read too."
)


class PolicyIn(Shape):
    """A new version of the policy."""

    rules = serializers.JSONField(help_text=RULES)
    enabled = serializers.BooleanField(required=False, default=True)
    note = serializers.CharField(required=False, allow_blank=True, default="", max_length=300)


class PolicyOut(Shape):
    """A version of the policy. Version 0 stands for no policy at all."""

    version = serializers.IntegerField(source="number")
    enabled = serializers.BooleanField()
    rules = serializers.JSONField(source="document", help_text=RULES)
    note = serializers.CharField()
    author = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField(allow_null=True)


class WithheldOut(Shape):
    """Parts of calls that could not be redacted and were not kept."""

    day = serializers.DateField()
    reason = serializers.CharField()
    count = serializers.IntegerField()


class RedactionOut(Shape):
    """The newest version of the policy, and what had to be withheld lately."""

    policy = PolicyOut()
    withheld = WithheldOut(many=True)


class PreviewIn(Shape):
    """What to try rules on: a text, or the newest calls. Without rules: those in force."""

    rules = serializers.JSONField(required=False, help_text=RULES)
    text = serializers.CharField(required=False, trim_whitespace=False)
    calls = serializers.IntegerField(required=False, min_value=1, max_value=MOST_CALLS)


class FindOut(Shape):
    """One find, and what would be written in its place."""

    rule = serializers.CharField()
    before = serializers.CharField()
    after = serializers.CharField()


class CallFindsOut(Shape):
    """The finds in one part of a call."""

    id = serializers.UUIDField()
    part = serializers.CharField()
    finds = FindOut(many=True)


class PreviewOut(Shape):
    """What the rules would do; nothing was stored."""

    counts = serializers.DictField(child=serializers.IntegerField())
    text = serializers.CharField(allow_null=True, help_text="The text after redaction.")
    finds = FindOut(many=True)
    calls = CallFindsOut(many=True)


class DetectorOut(Shape):
    """A named detector with what it finds and what it does not."""

    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # DRF's own label is not used
    title = serializers.CharField()
    description = serializers.CharField()
    examples = serializers.ListField(child=serializers.CharField())
    counterexamples = serializers.ListField(child=serializers.CharField())
