"""The shapes of the datasets API: what may be sent, what comes back."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from requests_log.datasets.models import Dataset, DatasetVersion, Example

Shape = serializers.Serializer[Any]


class DatasetIn(Shape):
    name = serializers.CharField(max_length=120)
    description = serializers.CharField(required=False, allow_blank=True, default="")
    group_by = serializers.ChoiceField(
        Dataset.GroupBy.choices, required=False, default=Dataset.GroupBy.PROMPT
    )


class DatasetOut(Shape):
    slug = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    group_by = serializers.ChoiceField(Dataset.GroupBy.choices)
    examples = serializers.IntegerField(source="example_count")
    last_version = serializers.IntegerField(allow_null=True)
    created_at = serializers.DateTimeField()


class MessageShape(Shape):
    """An OpenAI chat message; further keys: name, tool_calls, tool_call_id, weight."""

    role = serializers.ChoiceField(["system", "developer", "user", "assistant", "tool"])
    content = serializers.JSONField(required=False)


class RowIn(Shape):
    """A conversation that ends with the assistant's answer, a text, or inputs for a prompt."""

    messages = MessageShape(many=True, required=False)
    tools = serializers.ListField(child=serializers.JSONField(), required=False)
    rejected = MessageShape(required=False, help_text="A worse answer: the row is a pair.")
    text = serializers.CharField(required=False)
    title = serializers.CharField(required=False, help_text="Where the text stands.")
    inputs = serializers.DictField(child=serializers.JSONField(), required=False)
    group = serializers.CharField(required=False, help_text="Rows of a group share a split.")


class RowsIn(Shape):
    """At most 20,000 rows. `application/x-ndjson`, one row a line, is taken as well."""

    rows = RowIn(many=True)
    provenance = serializers.ChoiceField(Example.Provenance.choices, required=False)


class RowErrorOut(Shape):
    index = serializers.IntegerField(help_text="Place of the row in the call, from 0.")
    code = serializers.CharField()
    message = serializers.CharField()


class AddedOut(Shape):
    added = serializers.IntegerField()
    duplicates = serializers.IntegerField()
    rejected = serializers.IntegerField()
    problems = RowErrorOut(many=True)


class ExampleOut(Shape):
    id = serializers.UUIDField()
    content_hash = serializers.CharField(source="content.hash")
    messages = serializers.JSONField(source="content.body.messages", required=False)
    tools = serializers.JSONField(source="content.body.tools", required=False)
    rejected = serializers.JSONField(source="content.body.rejected", required=False)
    text = serializers.CharField(source="content.body.text", required=False)
    title = serializers.CharField(source="content.body.title", required=False)
    inputs = serializers.JSONField(source="content.body.inputs", required=False)
    provenance = serializers.ChoiceField(Example.Provenance.choices)
    request_id = serializers.UUIDField(allow_null=True)
    import_id = serializers.UUIDField(
        source="source_id", allow_null=True, help_text="The import it came with."
    )
    line = serializers.IntegerField(allow_null=True, help_text="Its place in the import's file.")
    tags = serializers.DictField(child=serializers.CharField(allow_blank=True))
    created_at = serializers.DateTimeField()


class ExamplePageOut(Shape):
    examples = ExampleOut(many=True)
    next = serializers.UUIDField(allow_null=True, help_text="Send as `before` for older ones.")


class JobOut(Shape):
    id = serializers.UUIDField()
    state = serializers.CharField()
    total = serializers.IntegerField(allow_null=True)


class SelectedOut(Shape):
    """Counts at once for up to 1,000 requests; for more, the job that adds them.

    `bulk_action` names it under `/api/v1/bulk-actions/`, where it can be undone.
    """

    added = serializers.IntegerField(required=False)
    duplicates = serializers.IntegerField(required=False)
    skipped = serializers.DictField(child=serializers.IntegerField(), required=False)
    job = JobOut(required=False, allow_null=True)
    bulk_action = serializers.UUIDField(required=False)


class FreezeIn(Shape):
    heldout = serializers.FloatField(
        required=False, default=10, min_value=0, max_value=100, help_text="Held-out per cent."
    )
    notes = serializers.CharField(required=False, allow_blank=True, default="")
    filter_text = serializers.CharField(required=False, allow_blank=True, default="")
    tags = serializers.DictField(
        child=serializers.CharField(allow_blank=True),
        required=False,
        help_text="Only examples that have all of these tags.",
    )


class TagExamplesIn(Shape):
    """Which examples: `ids`, or all that have the tags of `tagged`; and what becomes of the tag."""

    ids = serializers.ListField(child=serializers.UUIDField(), required=False)
    tagged = serializers.DictField(child=serializers.CharField(allow_blank=True), required=False)
    name = serializers.CharField(max_length=60)
    value = serializers.CharField(
        allow_blank=True, allow_null=True, max_length=200, help_text="null removes the tag."
    )


class TaggedOut(Shape):
    changed = serializers.IntegerField()


class TagCountOut(Shape):
    name = serializers.CharField()
    value = serializers.CharField()
    count = serializers.IntegerField()


class VersionOut(Shape):
    id = serializers.UUIDField()
    dataset = serializers.CharField(source="dataset.slug")
    number = serializers.IntegerField()
    content_hash = serializers.CharField()
    rows = serializers.IntegerField(source="row_count")
    splits = serializers.SerializerMethodField()
    heldout_percent = serializers.FloatField()
    notes = serializers.CharField()
    filter_text = serializers.CharField()
    transforms = serializers.JSONField()
    is_evaluation_set = serializers.BooleanField()
    created_at = serializers.DateTimeField()

    def get_splits(self, version: DatasetVersion) -> dict[str, int]:
        return {"train": version.train_rows, "heldout": version.heldout_rows}
