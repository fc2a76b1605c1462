"""Training runs, the events their trainers report, registered models and the engine."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Self
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from requests_log.datasets.models import DatasetVersion
from workbench.core.ids import uuid7
from workbench.core.leases import Leased, LeasedQuerySet
from workbench.core.models import Project


class TrainingRunQuerySet(LeasedQuerySet["TrainingRun"]):
    def in_project(self, project: Project) -> Self:
        return self.filter(project=project)

    def unfinished(self) -> Self:
        return self.filter(state__in=TrainingRun.UNFINISHED)

    def startable(self, host: str) -> Self:
        """Runs of this host nobody works on, oldest first."""
        return self.unfinished().filter(host=host).unheld().order_by("pk")

    def newest_first(self) -> Self:
        return self.order_by("-pk")


class TrainingRun(Leased):
    """One fine-tune: a frozen dataset version, a base model, a method, and what came of it."""

    class State(models.TextChoices):
        QUEUED = "queued", "Waiting"
        RUNNING = "running", "Training"
        SUCCEEDED = "succeeded", "Done"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    class Method(models.TextChoices):
        SFT = "sft", "Supervised fine-tuning"

    UNFINISHED = (State.QUEUED, State.RUNNING)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="training_runs")
    name = models.CharField(max_length=120)
    dataset_version = models.ForeignKey(
        "datasets.DatasetVersion", on_delete=models.PROTECT, related_name="training_runs"
    )
    base_model = models.CharField(max_length=300)
    base_path = models.TextField()
    method = models.CharField(max_length=10, choices=Method, default=Method.SFT)
    adapter = models.JSONField()
    hyperparameters = models.JSONField()
    render = models.JSONField(default=dict)
    over_length = models.CharField(max_length=10, default="refuse")
    host = models.CharField(max_length=60, default="local")
    # Made by the client, so that a doubled click or a retried call starts one run.
    start_request_id = models.UUIDField(null=True, blank=True)

    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    phase = models.CharField(max_length=20, blank=True, default="")
    cancel_requested = models.BooleanField(default=False)
    step = models.PositiveIntegerField(default=0)
    total_steps = models.PositiveIntegerField(default=0)
    eta_seconds = models.FloatField(null=True, blank=True)
    loss_first = models.FloatField(null=True, blank=True)
    loss_last = models.FloatField(null=True, blank=True)
    rows_checked = models.PositiveIntegerField(null=True, blank=True)
    parity_mismatches = models.PositiveIntegerField(null=True, blank=True)
    examples = models.PositiveIntegerField(null=True, blank=True)
    tokens = models.PositiveBigIntegerField(null=True, blank=True)
    trained_tokens = models.PositiveBigIntegerField(null=True, blank=True)
    seconds = models.FloatField(null=True, blank=True)
    error_code = models.CharField(max_length=40, blank=True, default="")
    error = models.TextField(blank=True, default="")
    artifacts = models.JSONField(default=list)
    artifacts_path = models.TextField(blank=True, default="")
    events_offset = models.PositiveBigIntegerField(default=0)

    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = TrainingRunQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint("project", "start_request_id", name="run_once_per_request"),
            models.CheckConstraint(condition=~Q(name=""), name="run_has_a_name"),
            models.CheckConstraint(
                condition=Q(finished_at=None, state__in=["queued", "running"])
                | Q(finished_at__isnull=False, state__in=["succeeded", "failed", "cancelled"]),
                name="run_finished_has_a_time",
            ),
        ]
        indexes = [models.Index(fields=["project", "-id"], name="run_by_project")]

    def __str__(self) -> str:
        return self.name

    @property
    def is_finished(self) -> bool:
        return self.state not in self.UNFINISHED

    @property
    def fraction(self) -> float | None:
        """Share of the training steps done, 0 to 1; None before the first step is planned."""
        return min(1.0, self.step / self.total_steps) if self.total_steps else None


class RunEventQuerySet(models.QuerySet["RunEvent"]):
    def of_type(self, *types: str) -> Self:
        return self.filter(type__in=types)

    def in_order(self) -> Self:
        return self.order_by("seq", "pk")


class RunEvent(models.Model):
    """One line of a trainer's events.jsonl (docs/training.md lists the types)."""

    run = models.ForeignKey(TrainingRun, on_delete=models.CASCADE, related_name="events")
    seq = models.PositiveIntegerField()
    type = models.CharField(max_length=20)
    at = models.DateTimeField()
    body = models.JSONField(default=dict)

    objects = RunEventQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint("run", "seq", name="run_event_once")]

    def __str__(self) -> str:
        return f"{self.seq} {self.type}"


class RegisteredModelQuerySet(models.QuerySet["RegisteredModel"]):
    def in_project(self, project: Project) -> Self:
        return self.filter(project=project)

    def by_name(self) -> Self:
        return self.order_by("name", "pk")


class RegisteredModel(models.Model):
    """A name deployments look up; its versions come from training runs or imports."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="registered_models")
    name = models.CharField(max_length=80)
    description = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(db_default=Now())

    objects = RegisteredModelQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint("project", "name", name="registered_model_once"),
            models.CheckConstraint(
                condition=Q(name__regex=r"^[a-z0-9][a-z0-9._-]{0,79}$"),
                name="registered_model_name_is_plain",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ModelVersionQuerySet(models.QuerySet["ModelVersion"]):
    def in_project(self, project: Project) -> Self:
        return self.filter(model__project=project)

    def taught_by(self, request_id: UUID) -> Self:
        """Made from a dataset version one of whose rows came from this logged request."""
        frozen = DatasetVersion.objects.containing_request(request_id).order_by()
        return self.filter(dataset_version__in=frozen.values("pk"))

    def newest_first(self) -> Self:
        return self.order_by("-number", "-pk")


class ModelVersion(models.Model):
    """Weights with their lineage; never changed once registered."""

    class Kind(models.TextChoices):
        ADAPTER = "adapter", "Adapter"
        FULL = "full", "Full model"

    model = models.ForeignKey(RegisteredModel, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=10, choices=Kind)
    path = models.TextField()
    base_model = models.CharField(max_length=300, blank=True, default="")
    base_path = models.TextField(blank=True, default="")
    render = models.JSONField(default=dict)
    render_fingerprint = models.CharField(max_length=64)
    artifacts = models.JSONField(default=list)
    run = models.ForeignKey(
        TrainingRun, on_delete=models.PROTECT, null=True, blank=True, related_name="model_versions"
    )
    dataset_version = models.ForeignKey(
        "datasets.DatasetVersion",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="model_versions",
    )
    note = models.TextField(blank=True, default="")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now())

    objects = ModelVersionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint("model", "number", name="model_version_once"),
            models.UniqueConstraint("model", "run", name="model_version_once_per_run"),
        ]

    def __str__(self) -> str:
        return self.ref

    @property
    def ref(self) -> str:
        return f"{self.model.name}:{self.number}"


class Alias(models.Model):
    """A movable name for one version of a model, such as `production`."""

    model = models.ForeignKey(RegisteredModel, on_delete=models.CASCADE, related_name="aliases")
    name = models.CharField(max_length=40)
    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="aliases")
    moved_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint("model", "name", name="alias_once"),
            models.CheckConstraint(
                condition=Q(name__regex=r"^[a-z][a-z0-9_-]{0,39}$"), name="alias_name_is_plain"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model.name}@{self.name}"


class AliasMove(models.Model):
    """The history of an alias: every promotion and roll-back, by whom and why."""

    model = models.ForeignKey(RegisteredModel, on_delete=models.CASCADE, related_name="moves")
    alias = models.CharField(max_length=40)
    from_version = models.ForeignKey(
        ModelVersion, on_delete=models.PROTECT, null=True, related_name="+"
    )
    to_version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="+")
    comparison_id = models.UUIDField(null=True, blank=True)
    reason = models.TextField(blank=True, default="")
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.model.name}@{self.alias}: {self.from_version_id} → {self.to_version_id}"


class EngineQuerySet(models.QuerySet["Engine"]):
    def alive(self) -> Self:
        """Engines whose runner has seen them answer a moment ago."""
        return self.exclude(url="").filter(seen_at__gt=Now() - Engine.SEEN_WITHIN)


class Engine(models.Model):
    """The inference process of one host, as its runner last saw it."""

    SEEN_WITHIN = timedelta(seconds=10)

    host = models.CharField(max_length=60, unique=True)
    url = models.CharField(max_length=200, blank=True, default="")
    wanted_until = models.DateTimeField(null=True, blank=True)
    seen_at = models.DateTimeField(null=True, blank=True)
    runner_seen_at = models.DateTimeField(null=True, blank=True)
    problem = models.TextField(blank=True, default="")
    # Ids in the engine's list of models, as last written by its runner.
    serves = models.JSONField(default=list)
    # Why a registered model is not among them, by id.
    unserved = models.JSONField(default=dict)
    # What the running engine wants to be shown as a bearer token; a new one at each start.
    token = models.CharField(max_length=100, blank=True, default="", editable=False)

    objects = EngineQuerySet.as_manager()

    def __str__(self) -> str:
        return f"engine on {self.host}"


def next_number(model: RegisteredModel) -> int:
    """The next version number; call with the model's row locked."""
    highest: Any = model.versions.aggregate(highest=models.Max(F("number")))["highest"]
    return int(highest or 0) + 1
