"""Pipelines, their runs, a cell for each row and step, and the ledger of paid calls."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Count, Q, Sum, Value
from django.db.models.functions import Now

from prompts.models import AsWritten
from workbench.core.ids import uuid7
from workbench.core.models import Job, Project, User


class PipelineQuerySet(models.QuerySet["Pipeline"]):
    def in_project(self, project: Project) -> Self:
        return self.filter(project=project)

    def newest_first(self) -> Self:
        return self.order_by("-pk")


class Pipeline(models.Model):
    """Steps that rows go through, one after the other. What the steps are is a `Definition`."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="pipelines")
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True, default="")
    # The number of the newest definition.
    definitions_made = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    objects = PipelineQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint("project", "name", name="pipeline_name_once"),
            models.CheckConstraint(condition=~Q(name=""), name="pipeline_has_a_name"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def definition(self) -> Definition:
        """The newest one."""
        return self.definitions.get(number=self.definitions_made)


class Definition(models.Model):
    """The steps of a pipeline as they were at one time: `[{"name", "kind", "settings"}]`.

    Never changed, so that a run can be told and done again; settings are complete.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    pipeline = models.ForeignKey(Pipeline, on_delete=models.CASCADE, related_name="definitions")
    number = models.PositiveIntegerField()
    steps = AsWritten(default=list)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint("pipeline", "number", name="pipeline_definition_once")
        ]

    def __str__(self) -> str:
        return f"{self.pipeline} #{self.number}"


class RunQuerySet(models.QuerySet["Run"]):
    def in_project(self, project: Project) -> Self:
        return self.filter(pipeline__project=project)

    def newest_first(self) -> Self:
        return self.order_by("-pk")

    def left_behind(self) -> Self:
        """Those that say they are being done while no job is there to do it."""
        working = self.filter(state__in=[Run.State.QUEUED, Run.State.RUNNING])
        return working.exclude(job__state__in=Job.UNFINISHED)


class Run(models.Model):
    """A definition done over rows.

    `source` says where the rows come from (see `sources`), `pinned` holds by step what refs meant
    when it started, `budget` is in dollars. A run that stopped can go on: what is done stays.
    """

    class State(models.TextChoices):
        QUEUED = "queued", "Waiting"
        RUNNING = "running", "Running"
        PEOPLE = "people", "Waiting for people"
        DONE = "done", "Done"
        BATCH = "batch", "Waiting for a batch"
        BUDGET = "budget", "Stopped by its budget"
        CANCELLED = "cancelled", "Cancelled"
        FAILED = "failed", "Failed"

    WORKING = (State.QUEUED, State.RUNNING, State.BATCH)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    pipeline = models.ForeignKey(Pipeline, on_delete=models.CASCADE, related_name="runs")
    definition = models.ForeignKey(Definition, on_delete=models.PROTECT, related_name="runs")
    source = AsWritten(default=dict)
    pinned = AsWritten(default=dict)
    limit = models.PositiveIntegerField(null=True)
    is_test = models.BooleanField(default=False)
    budget = models.DecimalField(max_digits=14, decimal_places=6, null=True)
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    note = models.CharField(max_length=1000, blank=True, default="")
    loaded = models.BooleanField(default=False)
    in_batches = models.BooleanField(default=False)
    job = models.ForeignKey(Job, on_delete=models.SET_NULL, null=True, related_name="+")
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)

    objects = RunQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(budget=None) | Q(budget__gt=0), name="pipeline_budget_is_money"
            )
        ]
        indexes = [
            models.Index(fields=["pipeline", "-id"], name="run_by_pipeline"),
            models.Index(
                fields=["id"], name="run_working", condition=Q(state__in=["queued", "running"])
            ),
        ]

    def __str__(self) -> str:
        return f"{self.definition}, {self.created_at:%Y-%m-%d %H:%M}"

    @property
    def project(self) -> Project:
        return self.pipeline.project

    @property
    def is_working(self) -> bool:
        return self.state in self.WORKING


class RunRowQuerySet(models.QuerySet["Row"]):
    def of_run(self, run: Run) -> Self:
        return self.filter(run=run)

    def after(self, position: int) -> Self:
        """Those behind a position, in order."""
        return self.filter(position__gt=position).order_by("position")

    def counts(self) -> dict[str, int]:
        """How many rows are in each state; one query."""
        found = dict(self.order_by().values_list("state").annotate(n=Count("pk")))
        return {state: found.get(state, 0) for state in Row.State.values}


class Row(models.Model):
    """A row of a run: values by name. A row that a step made has a `parent` and its number there,
    and begins with the step behind it (`first_step`)."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        ASKED = "asked", "With a person"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        FILTERED = "filtered", "Left out"

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="rows", db_index=False)
    position = models.PositiveIntegerField()
    variables = AsWritten(default=dict)
    request_id = models.UUIDField(null=True)
    content_id = models.BigIntegerField(null=True)
    state = models.CharField(max_length=8, choices=State, default=State.WAITING)
    first_step = models.PositiveSmallIntegerField(default=0)
    parent = models.ForeignKey("self", on_delete=models.CASCADE, null=True, db_index=False)
    child = models.PositiveIntegerField(null=True)

    objects = RunRowQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint("run", "position", name="pipeline_row_once"),
            models.UniqueConstraint("parent", "child", name="pipeline_child_once"),
        ]
        indexes = [
            models.Index(
                fields=["run", "position"], name="pipeline_rows_left", condition=Q(state="waiting")
            )
        ]

    def __str__(self) -> str:
        return f"row {self.position}"


class RunCellQuerySet(models.QuerySet["Cell"]):
    def of_run(self, run: Run) -> Self:
        return self.filter(run=run)

    def by_step(self) -> list[dict[str, Any]]:
        """Counts, cost and tokens of each step and state; one query."""
        grouped = self.order_by("step", "state").values("step", "state")
        counted = grouped.annotate(
            cells=Count("pk"),
            reused=Count("pk", filter=Q(reused=True)),
            cost=Sum("cost"),
            input_tokens=Sum("input_tokens"),
            output_tokens=Sum("output_tokens"),
        )
        return [dict(group) for group in counted]


class Cell(models.Model):
    """What a step made of a row. What waits or is being done has no cell yet; `calls` are the
    ledger's entries that it rests on, earlier runs' too (then it is `reused` and cost nothing)."""

    class State(models.TextChoices):
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="cells", db_index=False)
    row = models.ForeignKey(Row, on_delete=models.CASCADE, related_name="cells", db_index=False)
    step = models.PositiveSmallIntegerField()
    state = models.CharField(max_length=6, choices=State)
    value = AsWritten(null=True)
    kept = models.BooleanField(default=True)
    error_kind = models.CharField(max_length=30, blank=True, default="")
    error = models.TextField(blank=True, default="")
    calls = ArrayField(models.UUIDField(), default=list)
    reused = models.BooleanField(default=False)
    cost = models.DecimalField(max_digits=14, decimal_places=8, null=True)
    milliseconds = models.FloatField(null=True)
    input_tokens = models.PositiveIntegerField(null=True)
    output_tokens = models.PositiveIntegerField(null=True)

    objects = RunCellQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint("row", "step", name="pipeline_cell_once"),
            models.CheckConstraint(
                condition=Q(state="done", error="") | (Q(state="failed") & ~Q(error="")),
                name="pipeline_cell_is_done_or_tells_why",
            ),
        ]
        indexes = [models.Index(fields=["run", "step", "state"], name="pipeline_cells_by_step")]

    def __str__(self) -> str:
        return f"{self.row}, step {self.step}: {self.state}"


class BatchQuerySet(models.QuerySet["Batch"]):
    def of_run(self, run: Run) -> Self:
        return self.filter(run=run)

    def open(self) -> Self:
        """Those the provider is working at, or may be."""
        return self.filter(state__in=[Batch.State.SUBMITTING, Batch.State.OPEN])

    def oldest_first(self) -> Self:
        return self.order_by("pk")


class Batch(models.Model):
    """Calls of a run that go out together, through a provider's Batch API.

    It is `submitting` from before the provider is asked to do it until its id there (`remote_id`)
    is committed: whoever finds it so asks the provider whether it has it. `status` and the counts
    are the provider's; `is_closed` where what failed in it is to be asked anew.
    """

    class State(models.TextChoices):
        COLLECTED = "collected", "Collected"
        SUBMITTING = "submitting", "Being sent"
        OPEN = "open", "With the provider"
        DONE = "done", "Answered"
        REFUSED = "refused", "Refused"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="batches")
    model = models.CharField(max_length=300)
    state = models.CharField(max_length=10, choices=State, default=State.COLLECTED)
    requests = models.PositiveIntegerField(default=0)
    bytes = models.PositiveBigIntegerField(default=0)
    file_id = models.CharField(max_length=200, blank=True, default="")
    remote_id = models.CharField(max_length=200, blank=True, default="")
    status = models.CharField(max_length=40, blank=True, default="")
    completed = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    note = models.CharField(max_length=1000, blank=True, default="")
    cancel_requested = models.BooleanField(default=False)
    is_closed = models.BooleanField(default=False)
    looks = models.PositiveIntegerField(default=0)
    look_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    submitted_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    objects = BatchQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(state="open") | ~Q(remote_id=""), name="open_batch_has_a_remote_id"
            )
        ]
        indexes = [
            models.Index(
                fields=["look_at"], name="batch_to_look_at",
                condition=Q(state__in=["submitting", "open"]),
            )
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.requests} of {self.model}: {self.state}"


@dataclass(frozen=True)
class CallSums:
    """What calls add up to: how many by state, dollars spent or reserved, answered lately."""

    counts: dict[str, int]
    committed: Decimal
    lately: int


class HumanTaskQuerySet(models.QuerySet["HumanTask"]):
    def of_run(self, run: Run) -> Self:
        return self.filter(run=run)

    def open(self) -> Self:
        """Those that nobody decided."""
        return self.filter(outcome="")


class HumanTask(models.Model):
    """A row that waits at a step for a person, who may hold it for a while; then what they said.

    What they made of the row is its cell. `skipped_by` are ids of people who left it to others.
    """

    class Outcome(models.TextChoices):
        APPROVED = "approved", "Approved"
        WRITTEN = "written", "Written or changed"
        REJECTED = "rejected", "Rejected"

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="human_tasks")
    row = models.ForeignKey(Row, on_delete=models.CASCADE, related_name="+", db_index=False)
    step = models.PositiveSmallIntegerField()
    outcome = models.CharField(max_length=8, choices=Outcome, blank=True, default="")
    held_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    held_until = models.DateTimeField(null=True)
    skipped_by = ArrayField(models.BigIntegerField(), default=list)
    decided_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)

    objects = HumanTaskQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint("row", "step", name="human_task_once"),
            models.CheckConstraint(
                condition=Q(outcome="", decided_at=None)
                | (~Q(outcome="") & Q(decided_at__isnull=False)),
                name="human_task_is_decided_at_a_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.row}, step {self.step}: {self.outcome or 'open'}"


class CallQuerySet(models.QuerySet["Call"]):
    def of_run(self, run: Run) -> Self:
        return self.filter(run=run)

    def committed(self) -> Decimal:
        """Dollars spent, or reserved where the outcome is not known."""
        return self.sums().committed

    def counts(self) -> dict[str, int]:
        """How many calls are in each state; one query."""
        return self.sums().counts

    def sums(self, *, since: datetime | None = None) -> CallSums:
        """All that the calls add up to, read once; `since` is for `CallSums.lately`."""
        lately = Count("pk", filter=Q(finished_at__gte=since)) if since else Value(0)
        summed = (
            self.order_by()
            .values("state")
            .annotate(many=Count("pk"), paid=Sum("cost"), held=Sum("reserved"), lately=lately)
        )
        groups: dict[str, dict[str, Any]] = {one["state"]: dict(one) for one in summed}
        committed = sum((group["paid"] or Decimal(0) for group in groups.values()), Decimal(0))
        for state in (Call.State.SENT, Call.State.UNKNOWN):
            committed += groups.get(state.value, {}).get("held") or Decimal(0)
        return CallSums(
            counts={one: groups.get(one, {}).get("many", 0) for one in Call.State.values},
            committed=committed,
            lately=groups.get("done", {}).get("lately", 0),
        )


class Call(models.Model):
    """A line of the ledger, committed before the call goes out: what is asked, of whom, for what.

    `key` is the SHA-256 of endpoint, model, body and sample number. Every try is a line of its
    own. A line that was `sent` when its worker died has an `unknown` outcome: it may have been
    paid for, counts as such, and its cell is asked again. Not so a line of a `batch`, whose answer
    can be fetched by whoever comes.
    """

    class State(models.TextChoices):
        SENT = "sent", "Sent"
        DONE = "done", "Answered"
        FAILED = "failed", "Failed"
        UNKNOWN = "unknown", "Outcome unknown"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    run = models.ForeignKey(Run, on_delete=models.SET_NULL, null=True, related_name="calls")
    batch = models.ForeignKey(
        Batch, on_delete=models.SET_NULL, null=True, related_name="calls", db_index=False
    )
    row_id = models.BigIntegerField()
    step = models.PositiveSmallIntegerField()
    sample = models.PositiveIntegerField(default=0)
    key = models.BinaryField(max_length=32)
    model = models.CharField(max_length=300)
    state = models.CharField(max_length=7, choices=State, default=State.SENT)
    request = models.BinaryField()
    # As it came, and its message as it is read.
    answer = models.BinaryField(null=True)
    message = models.BinaryField(null=True)
    reserved = models.DecimalField(max_digits=14, decimal_places=8, null=True)
    cost = models.DecimalField(max_digits=14, decimal_places=8, null=True)
    input_tokens = models.PositiveIntegerField(null=True)
    output_tokens = models.PositiveIntegerField(null=True)
    milliseconds = models.FloatField(null=True)
    provider_request_id = models.CharField(max_length=200, blank=True, default="")
    error_kind = models.CharField(max_length=30, blank=True, default="")
    error = models.TextField(blank=True, default="")
    sent_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)

    objects = CallQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["project", "key"], name="call_by_key", condition=Q(state="done")),
            models.Index(fields=["run", "row_id", "step"], name="call_by_cell"),
            models.Index(
                fields=["batch", "key"], name="call_by_batch", condition=Q(batch__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model}: {self.state}"
