"""The shapes of the prompts API: what may be sent, what comes back."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from prompts.content import ROLES, TYPES
from prompts.models import Prompt, PromptVersion

Shape = serializers.Serializer[Any]


class VariableShape(Shape):
    name = serializers.CharField()
    type = serializers.ChoiceField(TYPES, required=False)
    description = serializers.CharField(required=False, allow_blank=True)
    example = serializers.JSONField(required=False)


class PromptMessage(Shape):
    """A chat message, or `{"type": "messages", "name"}`: a place for a list of messages."""

    role = serializers.ChoiceField(ROLES, required=False)
    content = serializers.JSONField(required=False)
    type = serializers.CharField(required=False)
    name = serializers.CharField(required=False)


class FewShotShape(Shape):
    messages = PromptMessage(many=True)


class ContentIn(Shape):
    """Checked by `prompts.content`, which keeps keys and their order as they were sent."""

    body = serializers.JSONField(help_text="A template, or a list of messages.")
    syntax = serializers.ChoiceField(PromptVersion.Syntax.choices, required=False)
    variables = VariableShape(many=True, required=False)
    few_shot = FewShotShape(many=True, required=False)
    tools = serializers.ListField(child=serializers.JSONField(), required=False)
    response_schema = serializers.JSONField(required=False, allow_null=True)
    settings = serializers.DictField(child=serializers.JSONField(), required=False)
    message = serializers.CharField(required=False, help_text="What changed, and why.")


class PromptIn(ContentIn):
    name = serializers.CharField(max_length=200, help_text="A path, such as support/triage.")
    description = serializers.CharField(required=False, allow_blank=True)
    tags = serializers.ListField(child=serializers.CharField(), required=False)


class PromptChangeIn(Shape):
    description = serializers.CharField(required=False, allow_blank=True)
    tags = serializers.ListField(child=serializers.CharField(), required=False)
    archived = serializers.BooleanField(required=False)


class ShareShape(Shape):
    version = serializers.IntegerField(min_value=1, max_value=999_999_999)
    percent = serializers.IntegerField(min_value=1, max_value=100)


class LabelIn(Shape):
    """Either a version or a split."""

    version = serializers.IntegerField(required=False, min_value=1, max_value=999_999_999)
    split = ShareShape(many=True, required=False)
    protected = serializers.BooleanField(required=False, help_text="For owners.")
    reason = serializers.CharField(required=False, allow_blank=True, default="")


class RollBackIn(Shape):
    reason = serializers.CharField(required=False, allow_blank=True, default="")


class PromptLabelOut(Shape):
    label = serializers.CharField(source="name")  # type: ignore[assignment]
    protected = serializers.BooleanField()
    split = ShareShape(many=True, source="shares")
    moved_at = serializers.DateTimeField()


class PromptOut(Shape):
    name = serializers.CharField()
    kind = serializers.ChoiceField(Prompt.Kind.choices)
    description = serializers.CharField()
    tags = serializers.ListField(child=serializers.CharField())
    latest = serializers.IntegerField(source="versions_made")
    labels = PromptLabelOut(many=True, source="labels.all")
    created_at = serializers.DateTimeField()
    archived_at = serializers.DateTimeField(allow_null=True)


class PromptPageOut(Shape):
    prompts = PromptOut(many=True)
    next = serializers.UUIDField(allow_null=True, help_text="Send as `before` for older ones.")


class FetchedOut(Shape):
    """A version as apps use it; snippets are put in, variables are not."""

    name = serializers.CharField(source="prompt.name")
    version = serializers.IntegerField(source="version.number")
    label = serializers.CharField(allow_null=True)  # type: ignore[assignment]
    kind = serializers.ChoiceField(Prompt.Kind.choices, source="prompt.kind")
    syntax = serializers.ChoiceField(PromptVersion.Syntax.choices, source="content.syntax")
    body = serializers.JSONField(source="content.body", help_text="A text, or messages.")
    few_shot = FewShotShape(many=True, source="content.few_shot")
    variables = VariableShape(many=True, source="content.variables")
    tools = serializers.JSONField(source="content.tools")
    response_schema = serializers.JSONField(source="content.response_schema", allow_null=True)
    settings = serializers.JSONField(source="content.settings")
    tags = serializers.ListField(child=serializers.CharField(), source="prompt.tags")
    message = serializers.CharField(source="version.message")
    created_at = serializers.DateTimeField(source="version.created_at")
    split = ShareShape(many=True, allow_null=True)

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """Written out: a serializer of messages would drop keys it does not know."""
        prompt, version, content = instance.prompt, instance.version, instance.content
        created = self.fields["created_at"].to_representation(version.created_at)
        return {
            "name": prompt.name, "version": version.number, "label": instance.label,
            "kind": prompt.kind, "syntax": content.syntax, "body": content.body,
            "few_shot": content.few_shot, "variables": content.variables, "tools": content.tools,
            "response_schema": content.response_schema, "settings": content.settings,
            "tags": prompt.tags, "message": version.message, "created_at": created,
            "split": instance.split,
        }  # fmt: skip


class PromptVersionOut(Shape):
    version = serializers.IntegerField(source="number")
    syntax = serializers.ChoiceField(PromptVersion.Syntax.choices)
    message = serializers.CharField()
    content_hash = serializers.CharField()
    snippets = serializers.ListField(child=serializers.CharField())
    created_by = serializers.CharField(source="created_by.email", allow_null=True, default=None)
    created_at = serializers.DateTimeField()


class SavedOut(Shape):
    name = serializers.CharField(source="version.prompt.name")
    version = serializers.IntegerField(source="version.number")
    created = serializers.BooleanField(
        source="is_new", help_text="False: this version had the same content already."
    )
    content_hash = serializers.CharField(source="version.content_hash")


class DiffLineShape(Shape):
    op = serializers.ChoiceField([("same", "same"), ("added", "added"), ("removed", "removed")])
    text = serializers.CharField()


class DiffPartOut(Shape):
    part = serializers.CharField(help_text="body, few_shot, variables, tools, …")
    lines = DiffLineShape(many=True)


class DiffOut(Shape):
    name = serializers.CharField()
    before = serializers.IntegerField()
    after = serializers.IntegerField()
    changes = DiffPartOut(many=True)


class CompileIn(Shape):
    label = serializers.CharField(required=False)  # type: ignore[assignment]
    version = serializers.IntegerField(required=False, min_value=1, max_value=999_999_999)
    key = serializers.CharField(required=False, allow_blank=True, default="")
    variables = serializers.DictField(
        child=serializers.JSONField(allow_null=True), required=False, default=dict
    )


class CompiledOut(Shape):
    name = serializers.CharField()
    version = serializers.IntegerField()
    label = serializers.CharField(allow_null=True)  # type: ignore[assignment]
    text = serializers.CharField(required=False)
    messages = PromptMessage(many=True, required=False)
