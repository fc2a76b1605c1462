"""The shapes of the pipelines API: what may be sent, what comes back."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from evals.pipelines.models import Batch, Row, Run
from evals.pipelines.reading import totals
from requests_log.bulk.shapes import SelectionIn

Shape = serializers.Serializer[Any]
_MONEY: dict[str, Any] = {"max_digits": 14, "decimal_places": 6}


class StepShape(Shape):
    name = serializers.CharField(max_length=60, help_text="A variable for the steps behind it.")
    kind = serializers.CharField(max_length=40, help_text="A name of GET /api/v1/pipeline-steps.")
    settings = serializers.DictField(required=False, default=dict)


class PipelineIn(Shape):
    name = serializers.CharField(max_length=120)
    description = serializers.CharField(required=False, allow_blank=True, default="")
    steps = StepShape(many=True)


class PipelineChangeIn(Shape):
    name = serializers.CharField(max_length=120, required=False)
    description = serializers.CharField(required=False, allow_blank=True)
    steps = StepShape(many=True, required=False)


class PipelineOut(Shape):
    id = serializers.UUIDField()
    name = serializers.CharField()
    description = serializers.CharField()
    definition = serializers.IntegerField(source="definitions_made")
    created_at = serializers.DateTimeField()


class PipelineWholeOut(PipelineOut):
    steps = serializers.ListField(source="definition.steps")


class PipelinePageOut(Shape):
    pipelines = PipelineOut(many=True)
    next = serializers.UUIDField(allow_null=True)


class StepKindOut(Shape):
    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # also an attribute of DRF fields
    help = serializers.CharField()
    schema = serializers.DictField(help_text="JSON schema of the step's `settings`.")


class SourceIn(Shape):
    """Where rows come from: one of `dataset` (with `version`), `requests`, `rows`, `csv`, `run`."""

    dataset = serializers.SlugField(required=False, help_text="The dataset's slug.")
    version = serializers.IntegerField(required=False, min_value=1)
    split = serializers.ChoiceField(["train", "heldout"], required=False, allow_null=True)
    requests = SelectionIn(required=False)
    rows = serializers.ListField(child=serializers.DictField(), required=False)
    csv = serializers.CharField(required=False, trim_whitespace=False)
    run = serializers.UUIDField(
        required=False, help_text="A run of the project: its rows again, to pay for what is new."
    )


class PipelineRunIn(SourceIn):
    budget = serializers.DecimalField(
        **_MONEY, required=False, allow_null=True, default=None, help_text="Dollars."
    )
    limit = serializers.IntegerField(required=False, min_value=1, allow_null=True, default=None)
    is_test = serializers.BooleanField(required=False, default=False)
    in_batches = serializers.BooleanField(
        required=False, default=False, help_text="Ask through Batch APIs: half the price, slow."
    )


class EstimateIn(SourceIn):
    limit = serializers.IntegerField(required=False, min_value=1, allow_null=True, default=None)


class ResumeIn(Shape):
    budget = serializers.DecimalField(**_MONEY, required=False, allow_null=True, default=None)
    retry_failed = serializers.BooleanField(required=False, default=False)


class ResultsIn(Shape):
    to = serializers.ChoiceField(["dataset", "pairs", "corrections", "scores"])
    answer = serializers.CharField(
        max_length=100, help_text="The step or column with the answer, best-of or score."
    )
    question = serializers.CharField(
        max_length=100,
        required=False,
        default="",
        help_text="The step or column that is asked; left out, the row's messages or those sent.",
    )
    dataset = serializers.SlugField(required=False, help_text="For `dataset` and `pairs`.")
    name = serializers.CharField(
        max_length=100, required=False, default="", help_text="What the scores are called."
    )
    tags = serializers.DictField(
        child=serializers.CharField(allow_blank=True, max_length=200),
        required=False,
        default=dict,
        help_text="What examples are tagged with; values may hold {{variables}} of the row.",
    )


class ResultsOut(Shape):
    job = serializers.UUIDField(source="id", help_text="Its result counts what became of the rows.")


class StepEstimateOut(Shape):
    name = serializers.CharField()
    calls = serializers.IntegerField()
    input_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()
    cost = serializers.DecimalField(max_digits=20, decimal_places=6, allow_null=True)
    problem = serializers.CharField()
    cells_asked = serializers.IntegerField(help_text="Cells whose questions go out.")
    cells_reused = serializers.IntegerField(help_text="Cells that rest on answers paid for before.")


class EstimateOut(Shape):
    rows = serializers.IntegerField()
    cells_asked = serializers.IntegerField()
    cells_reused = serializers.IntegerField()
    is_whole = serializers.BooleanField(
        help_text="Whether every row was looked at; else some stand for all."
    )
    cost = serializers.DecimalField(
        max_digits=20, decimal_places=6, help_text="Dollars, at most, of what has a price."
    )
    batch_cost = serializers.DecimalField(
        max_digits=20, decimal_places=6, allow_null=True,
        help_text="The same with `in_batches`; null where no model has a Batch API.",
    )  # fmt: skip
    unpriced = serializers.ListField(child=serializers.CharField())
    steps = StepEstimateOut(many=True)


class PipelineRunOut(Shape):
    id = serializers.UUIDField()
    pipeline = serializers.UUIDField(source="pipeline_id")
    definition = serializers.IntegerField(source="definition.number")
    source = serializers.CharField(source="source.label")  # type: ignore[assignment]  # as above
    state = serializers.CharField(help_text=", ".join(Run.State.values))
    note = serializers.CharField()
    budget = serializers.DecimalField(**_MONEY, allow_null=True)
    limit = serializers.IntegerField(allow_null=True)
    is_test = serializers.BooleanField()
    in_batches = serializers.BooleanField()
    job = serializers.UUIDField(source="job_id", allow_null=True)
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class StepTotalsOut(Shape):
    name = serializers.CharField()
    kind = serializers.CharField()
    done = serializers.IntegerField()
    failed = serializers.IntegerField()
    reused = serializers.IntegerField(help_text="Cells that rest on calls paid for before.")
    cost = serializers.DecimalField(max_digits=20, decimal_places=8, allow_null=True)
    input_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()


class TotalsOut(Shape):
    rows = serializers.DictField(child=serializers.IntegerField())
    steps = StepTotalsOut(many=True)
    asked = serializers.IntegerField(help_text="All lines of the ledger: the sum of `calls`.")
    calls = serializers.DictField(
        child=serializers.IntegerField(),
        help_text="The ledger's lines by state; `unknown` were sent when a worker died.",
    )
    committed = serializers.DecimalField(max_digits=20, decimal_places=8)


class BatchOut(Shape):
    id = serializers.UUIDField()
    model = serializers.CharField()
    state = serializers.CharField(help_text=", ".join(Batch.State.values))
    remote_id = serializers.CharField(help_text="The provider's id of it.")
    status = serializers.CharField(help_text="The provider's word for its state.")
    requests = serializers.IntegerField()
    completed = serializers.IntegerField()
    failed = serializers.IntegerField()
    note = serializers.CharField()
    submitted_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class PipelineRunWholeOut(PipelineRunOut):
    totals = serializers.SerializerMethodField()
    batches = BatchOut(many=True, source="batches.oldest_first")

    def get_totals(self, run: Run) -> Any:
        return TotalsOut(totals(run)).data


class PipelineRunPageOut(Shape):
    runs = PipelineRunOut(many=True)
    next = serializers.UUIDField(allow_null=True)


class CellOut(Shape):
    state = serializers.CharField()
    value = serializers.JSONField()
    kept = serializers.BooleanField()
    error_kind = serializers.CharField()
    error = serializers.CharField()
    reused = serializers.BooleanField()
    cost = serializers.DecimalField(max_digits=20, decimal_places=8, allow_null=True)
    milliseconds = serializers.FloatField(allow_null=True)
    input_tokens = serializers.IntegerField(allow_null=True)
    output_tokens = serializers.IntegerField(allow_null=True)


class TableRowOut(Shape):
    position = serializers.IntegerField(source="row.position")
    state = serializers.CharField(source="row.state", help_text=", ".join(Row.State.values))
    variables = serializers.DictField(source="row.variables")
    request_id = serializers.UUIDField(source="row.request_id", allow_null=True)
    parent_row = serializers.IntegerField(source="row.parent.position", allow_null=True)
    cells = serializers.ListField(child=CellOut(allow_null=True))


class TablePageOut(Shape):
    rows = TableRowOut(many=True)
    next = serializers.IntegerField(allow_null=True, help_text="Give it as `after`.")


class CallOut(Shape):
    id = serializers.UUIDField(source="call.id")
    model = serializers.CharField(source="call.model")
    sample = serializers.IntegerField(source="call.sample")
    state = serializers.CharField(source="call.state")
    request = serializers.JSONField(help_text="The body that was sent.")
    answer = serializers.CharField(help_text="As it came.")
    cost = serializers.DecimalField(
        max_digits=20, decimal_places=8, allow_null=True, source="call.cost"
    )
    input_tokens = serializers.IntegerField(source="call.input_tokens", allow_null=True)
    output_tokens = serializers.IntegerField(source="call.output_tokens", allow_null=True)
    milliseconds = serializers.FloatField(source="call.milliseconds", allow_null=True)
    provider_request_id = serializers.CharField(source="call.provider_request_id")
    error_kind = serializers.CharField(source="call.error_kind")
    error = serializers.CharField(source="call.error")
    sent_at = serializers.DateTimeField(source="call.sent_at")
    finished_at = serializers.DateTimeField(source="call.finished_at", allow_null=True)


class CellWholeOut(Shape):
    position = serializers.IntegerField()
    step = serializers.IntegerField()
    variables = serializers.DictField()
    cell = CellOut(allow_null=True)
    calls = CallOut(many=True)


class ValidOut(Shape):
    columns = serializers.ListField(child=serializers.CharField())
    steps = StepShape(many=True)
