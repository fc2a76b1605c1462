"""Logged requests, spans, scores: as sent, as raw bytes, as derived, and what was refused.

The tables are partitioned by week of the id (a UUIDv7), see `requests_log.partitions`. Rows are
written by `requests_log.store` with COPY; the ORM reads them. Of a call people change the tags.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Left, Now

from requests_log.feedback.models import Comment as Comment
from requests_log.feedback.models import Correction as Correction
from requests_log.feedback.models import LoggedScore as LoggedScore
from requests_log.feedback.models import ScoreOrigin as ScoreOrigin
from requests_log.feedback.models import ScoreQuerySet as ScoreQuerySet
from requests_log.feedback.models import ScoreType as ScoreType
from requests_log.pricing.models import Price as Price
from requests_log.querysets import InProjectQuerySet, M, TracedQuerySet
from requests_log.reading import ReadFromBody
from workbench.core.ids import floor_of
from workbench.core.models import Project

INDEXED_TEXT = 120
"""Characters of a user or session id that its index holds (a btree entry is bounded)."""


class Status(models.TextChoices):
    """How a logged call ended."""

    OK = "ok", "OK"
    ERROR = "error", "Error"
    CLIENT_CLOSED = "client_closed", "Client closed"


class Operation(models.TextChoices):
    """What kind of call was made."""

    CHAT = "chat", "Chat"
    COMPLETION = "completion", "Completion"
    RESPONSES = "responses", "Responses"
    EMBEDDING = "embedding", "Embedding"


class FactsQuerySet(TracedQuerySet[M]):
    def since(self, at: datetime) -> Self:
        """Made at or after this moment, read from the id, so that other weeks are not touched."""
        return self.filter(id__gte=floor_of(at))

    def until(self, at: datetime) -> Self:
        """Made before this moment."""
        return self.filter(id__lt=floor_of(at))

    def of_user(self, end_user: str) -> Self:
        return self._by_long_text("end_user", end_user)

    def in_session(self, session: str) -> Self:
        return self._by_long_text("session", session)

    def _by_long_text(self, field: str, value: str) -> Self:
        start = {f"{field}_start": Left(field, INDEXED_TEXT)}
        found = self.alias(**start).filter(**{f"{field}_start": value[:INDEXED_TEXT]})
        return found.filter(**{field: value})


class Facts(models.Model):
    """What the sender said about one call, in typed columns.

    Durations are milliseconds. `started_at` is the sender's clock; `received_at` is ours.
    `altered` names text columns in which NULs or lone surrogates became U+FFFD, or which were
    cut; the raw body keeps what was sent. `redaction` is the version of the rules that took
    something out of it before it was stored, 0 for none.
    """

    id = models.UUIDField(primary_key=True)
    started_at = models.DateTimeField()
    received_at = models.DateTimeField(db_default=Now())
    duration_ms = models.FloatField(null=True)
    ttft_ms = models.FloatField(null=True)
    provider = models.TextField(null=True)
    operation = models.TextField(choices=Operation)
    model = models.TextField(null=True)
    status = models.TextField(choices=Status)
    http_status = models.IntegerField(null=True)
    error_type = models.TextField(null=True)
    error_message = models.TextField(null=True)
    prompt_name = models.TextField(null=True)
    prompt_version = models.IntegerField(null=True)
    end_user = models.TextField(null=True)
    session = models.TextField(null=True)
    trace_id = models.TextField(null=True)
    span_id = models.TextField(null=True)
    parent_id = models.TextField(null=True)
    environment = models.TextField(null=True)
    release = models.TextField(null=True)
    source = models.TextField(null=True)
    key_id = models.BigIntegerField(null=True)
    request_size = models.IntegerField()
    response_size = models.IntegerField(null=True)
    redaction = models.SmallIntegerField(db_default=0)
    altered = ArrayField(models.TextField(), default=list)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.operation} {self.model or ''} {self.id}"


class RequestRow(Facts):
    """The table of facts itself, which people do not change. Read through LoggedRequest."""

    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, db_constraint=False, related_name="+"
    )

    objects = FactsQuerySet["RequestRow"].as_manager()

    class Meta:
        db_table = "requests_log_request"


class RequestTagsQuerySet(InProjectQuerySet["RequestTags"]):
    """The tags of requests; people see them through LoggedRequest."""


class RequestTags(models.Model):
    """A request's tags, which people change: a row for every request, written together with it.

    By itself, so that changing tags leaves the many indexes of the facts alone.
    """

    id = models.UUIDField(primary_key=True)
    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, db_constraint=False, related_name="+"
    )
    tags = models.JSONField(default=dict)

    objects = RequestTagsQuerySet.as_manager()

    class Meta:
        db_table = "requests_log_tags"

    def __str__(self) -> str:
        return f"tags of {self.id}"


class TagsOrNone(models.JSONField):
    """Tags as the view has them: null where a request had no row of tags, which is read as none."""

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        found = super().from_db_value(value, expression, connection)
        return {} if found is None else found


class Derived(models.Model):
    """What the digest reads out of the raw bodies; all null until then.

    In `tools`, `parameters` and `variables` NULs and lone surrogates are replaced. `cost` is in
    dollars. `search` is the conversation's text folded for searching, `search_cut` whether it
    was cut.
    """

    tools = models.JSONField(null=True)
    parameters = models.JSONField(null=True)
    variables = models.JSONField(null=True)
    input_preview = models.TextField(null=True)
    output_preview = models.TextField(null=True)
    model_used = models.TextField(null=True)
    finish_reason = models.TextField(null=True)
    input_tokens = models.IntegerField(null=True)
    output_tokens = models.IntegerField(null=True)
    cached_tokens = models.IntegerField(null=True)
    reasoning_tokens = models.IntegerField(null=True)
    cost = models.DecimalField(max_digits=18, decimal_places=10, null=True)
    search = models.TextField(null=True)
    search_cut = models.BooleanField(null=True)
    digest_version = models.SmallIntegerField(null=True)
    digested_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True


class LoggedRequestQuerySet(FactsQuerySet["LoggedRequest"]):
    def for_list(self) -> Self:
        """Without the columns that only the page of one request shows."""
        return self.defer("tools", "variables", "parameters", "search")

    def tagged(self, name: str, value: str) -> Self:
        return self.filter(tags__contains={name: value})


class LoggedRequest(ReadFromBody, Facts, Derived):
    """One logged LLM call as people see it: facts, tags and what was derived, joined (a view)."""

    tags = TagsOrNone(null=True)

    project = models.ForeignKey(
        Project, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+"
    )

    objects = LoggedRequestQuerySet.as_manager()

    class Meta:
        managed = False
        db_table = "requests_log_logged"

    @property
    def is_digested(self) -> bool:
        return self.digested_at is not None

    @property
    def total_tokens(self) -> int | None:
        if self.input_tokens is None or self.output_tokens is None:
            return None
        return self.input_tokens + self.output_tokens


class Codec(models.TextChoices):
    """How a body's bytes are kept."""

    RAW = "raw", "As sent"
    ZSTD = "zstd", "Zstandard"


class RequestBodyQuerySet(InProjectQuerySet["RequestBody"]):
    """Bodies, which are read one at a time."""


class RequestBody(models.Model):
    """The bytes that went over the wire, exactly; read them with `requests_log.bodies`."""

    id = models.UUIDField(primary_key=True)
    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, db_constraint=False, related_name="+"
    )
    codec = models.TextField(choices=Codec)
    request = models.BinaryField()
    request_sha256 = models.BinaryField()
    response = models.BinaryField(null=True)
    response_sha256 = models.BinaryField(null=True)
    variables = models.BinaryField(null=True)

    objects = RequestBodyQuerySet.as_manager()

    class Meta:
        db_table = "requests_log_body"

    def __str__(self) -> str:
        return f"body of {self.id}"


class DigestQuerySet(InProjectQuerySet["Digest"]):
    """Digests; people see them through LoggedRequest."""


class Digest(Derived):
    """The derived part of a logged request; made again by deleting it and queueing the id."""

    id = models.UUIDField(primary_key=True)
    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, db_constraint=False, related_name="+"
    )

    objects = DigestQuerySet.as_manager()

    class Meta:
        db_table = "requests_log_digest"

    def __str__(self) -> str:
        return f"digest of {self.id}"


class UndigestedQuerySet(InProjectQuerySet["Undigested"]):
    def failed(self) -> Self:
        return self.filter(failed_at__isnull=False)

    def waiting(self) -> Self:
        return self.filter(failed_at=None)


class Undigested(models.Model):
    """A committed request whose digest is not made yet, or could not be made (`failed_at`)."""

    id = models.UUIDField(primary_key=True)
    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, db_constraint=False, related_name="+"
    )
    attempts = models.SmallIntegerField(db_default=0)
    retry_at = models.DateTimeField(db_default=Now())
    failed_at = models.DateTimeField(null=True)
    error = models.TextField(db_default="")

    objects = UndigestedQuerySet.as_manager()

    class Meta:
        db_table = "requests_log_undigested"

    def __str__(self) -> str:
        return f"undigested {self.id}"


class EventKind(models.TextChoices):
    """What can be sent to the log."""

    REQUEST = "request", "Request"
    SPAN = "span", "Span"
    SCORE = "score", "Score"


class QuarantinedQuerySet(InProjectQuerySet["Quarantined"]):
    def waiting(self) -> Self:
        """Those that somebody should store again or give up."""
        return self.filter(discarded_at=None)

    def discarded(self) -> Self:
        return self.filter(discarded_at__isnull=False)

    def for_list(self) -> Self:
        """Without what was sent."""
        return self.defer("facts", "request", "response", "variables")

    def oldest_first(self) -> Self:
        return self.order_by("id", "kind")


class Quarantined(models.Model):
    """An event that Postgres refused to store, kept whole with the reason.

    `request`, `response` and `variables` hold a span's input, output and attributes. One that was
    given up has lost its content; who gave it up, and why, stays.
    """

    id = models.UUIDField(primary_key=True)
    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, db_constraint=False, related_name="+"
    )
    kind = models.TextField(choices=EventKind, db_default=EventKind.REQUEST.value)
    received_at = models.DateTimeField(db_default=Now())
    sqlstate = models.TextField(db_default="")
    error = models.TextField()
    facts = models.BinaryField()
    request = models.BinaryField(null=True)
    response = models.BinaryField(null=True)
    variables = models.BinaryField(null=True)
    replays = models.IntegerField(db_default=0)
    discarded_at = models.DateTimeField(null=True)
    discarded_by = models.TextField(db_default="")
    discard_reason = models.TextField(db_default="")

    objects = QuarantinedQuerySet.as_manager()

    class Meta:
        db_table = "requests_log_quarantine"

    def __str__(self) -> str:
        return f"quarantined {self.id}: {self.error}"


class SpanKind(models.TextChoices):
    """What a step of a trace does."""

    SPAN = "span", "Span"
    AGENT = "agent", "Agent"
    TOOL = "tool", "Tool"
    CHAIN = "chain", "Chain"
    RETRIEVER = "retriever", "Retriever"
    EMBEDDING = "embedding", "Embedding"
    GUARDRAIL = "guardrail", "Guardrail"


class LoggedSpanQuerySet(TracedQuerySet["LoggedSpan"]):
    """Steps of traces."""


class LoggedSpan(models.Model):
    """A step of a trace that is no call. `input`, `output`, `attributes` as `codec` keeps them.

    Read the documents with `requests_log.bodies.read_span`.
    """

    id = models.UUIDField(primary_key=True)
    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, db_constraint=False, related_name="+"
    )
    started_at = models.DateTimeField()
    received_at = models.DateTimeField(db_default=Now())
    duration_ms = models.FloatField(null=True)
    name = models.TextField()
    kind = models.TextField(choices=SpanKind)
    status = models.TextField(choices=[(Status.OK.value, "OK"), (Status.ERROR.value, "Error")])
    error_type = models.TextField(null=True)
    error_message = models.TextField(null=True)
    trace_id = models.TextField()
    span_id = models.TextField()
    parent_id = models.TextField(null=True)
    prompt_name = models.TextField(null=True)
    prompt_version = models.IntegerField(null=True)
    tags = models.JSONField(default=dict)
    end_user = models.TextField(null=True)
    session = models.TextField(null=True)
    environment = models.TextField(null=True)
    release = models.TextField(null=True)
    source = models.TextField(null=True)
    key_id = models.BigIntegerField(null=True)
    input_size = models.IntegerField(null=True)
    output_size = models.IntegerField(null=True)
    redaction = models.SmallIntegerField(db_default=0)
    altered = ArrayField(models.TextField(), default=list)
    codec = models.TextField(choices=Codec)
    sha256 = models.BinaryField()
    input = models.BinaryField(null=True)
    output = models.BinaryField(null=True)
    attributes = models.BinaryField(null=True)

    objects = LoggedSpanQuerySet.as_manager()

    class Meta:
        db_table = "requests_log_span"

    def __str__(self) -> str:
        return f"{self.kind} {self.name} {self.id}"


class DroppedByClientQuerySet(InProjectQuerySet["DroppedByClient"]):
    """Counts of what clients dropped."""


class DroppedByClient(models.Model):
    """How many events a client said it could not send, by day and reason."""

    pk = models.CompositePrimaryKey("project_id", "day", "reason")
    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, db_constraint=False, related_name="+"
    )
    day = models.DateField()
    reason = models.TextField()
    count = models.BigIntegerField()

    objects = DroppedByClientQuerySet.as_manager()

    class Meta:
        db_table = "requests_log_dropped"

    def __str__(self) -> str:
        return f"{self.count} dropped on {self.day}: {self.reason}"


def body_of(project: Project, request_id: UUID) -> RequestBody | None:
    """The body of one request of the project."""
    return RequestBody.objects.in_project(project).filter(id=request_id).first()
