"""The shapes of the training and registry API: what may be sent, what comes back."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from finetunes.actions.launch import OVER_LENGTH
from finetunes.defaults import ADAPTER_KINDS
from finetunes.models import ModelVersion, TrainingRun

Shape = serializers.Serializer[Any]


class RunIn(Shape):
    name = serializers.CharField(max_length=120)
    dataset = serializers.SlugField(help_text="The dataset's slug.")
    version = serializers.IntegerField(min_value=1, help_text="The frozen version's number.")
    base_model = serializers.CharField(max_length=300)
    adapter = serializers.ChoiceField(ADAPTER_KINDS, required=False, default="lora")
    hyperparameters = serializers.DictField(required=False, default=dict)
    over_length = serializers.ChoiceField(OVER_LENGTH, required=False, default="refuse")
    start_request_id = serializers.UUIDField(
        required=False, help_text="Your own id: sending it twice starts one run."
    )


class RunOut(Shape):
    id = serializers.UUIDField()
    name = serializers.CharField()
    state = serializers.ChoiceField(TrainingRun.State.choices)
    phase = serializers.CharField()
    dataset = serializers.CharField(source="dataset_version.dataset.slug")
    version = serializers.IntegerField(source="dataset_version.number")
    base_model = serializers.CharField()
    method = serializers.CharField()
    adapter = serializers.JSONField()
    hyperparameters = serializers.JSONField()
    step = serializers.IntegerField()
    total_steps = serializers.IntegerField()
    eta_seconds = serializers.FloatField(allow_null=True)
    loss_first = serializers.FloatField(allow_null=True)
    loss_last = serializers.FloatField(allow_null=True)
    rows_checked = serializers.IntegerField(allow_null=True)
    parity_mismatches = serializers.IntegerField(allow_null=True)
    examples = serializers.IntegerField(allow_null=True)
    tokens = serializers.IntegerField(allow_null=True)
    trained_tokens = serializers.IntegerField(allow_null=True)
    seconds = serializers.FloatField(allow_null=True)
    attempt = serializers.IntegerField()
    error_code = serializers.CharField()
    error = serializers.CharField()
    artifacts = serializers.JSONField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class EventOut(Shape):
    seq = serializers.IntegerField()
    type = serializers.CharField()
    at = serializers.DateTimeField()
    body = serializers.JSONField()


class ModelVersionIn(Shape):
    """Either a run that succeeded, or a base model to take as it is."""

    run = serializers.UUIDField(required=False)
    base_model = serializers.CharField(required=False, max_length=300)
    note = serializers.CharField(required=False, allow_blank=True, default="")


class ModelVersionOut(Shape):
    name = serializers.CharField(source="model.name")
    version = serializers.IntegerField(source="number")
    ref = serializers.CharField()
    kind = serializers.ChoiceField(ModelVersion.Kind.choices)
    base_model = serializers.CharField()
    training_run = serializers.UUIDField(source="run_id", allow_null=True)
    dataset_version = serializers.UUIDField(source="dataset_version_id", allow_null=True)
    render_fingerprint = serializers.CharField()
    artifacts = serializers.JSONField()
    note = serializers.CharField()
    created_at = serializers.DateTimeField()


class AliasIn(Shape):
    version = serializers.IntegerField(min_value=1)
    reason = serializers.CharField(required=False, allow_blank=True, default="")
    comparison = serializers.UUIDField(required=False, allow_null=True, default=None)


class AliasOut(Shape):
    model = serializers.CharField(source="model.name")
    alias = serializers.CharField(source="name")
    version = serializers.IntegerField(source="version.number")
    moved_at = serializers.DateTimeField()


class ModelOut(Shape):
    name = serializers.CharField()
    description = serializers.CharField()
    aliases = serializers.SerializerMethodField()
    latest = serializers.IntegerField(allow_null=True)
    created_at = serializers.DateTimeField()

    def get_aliases(self, model: Any) -> dict[str, int]:
        return {alias.name: alias.version.number for alias in model.aliases.all()}


class ResolvedOut(Shape):
    """Everything a deployment needs to use the version an alias points at."""

    name = serializers.CharField()
    alias = serializers.CharField()
    version = serializers.IntegerField()
    ref = serializers.CharField()
    model = serializers.CharField()
    base_url = serializers.CharField()
    render_fingerprint = serializers.CharField()
    training_run = serializers.UUIDField(allow_null=True)
    dataset_version = serializers.UUIDField(allow_null=True)
    artifacts = serializers.JSONField()
    promoted_at = serializers.DateTimeField(allow_null=True)
