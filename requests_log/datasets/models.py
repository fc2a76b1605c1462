"""Curated examples: a dataset grows; a dataset version is frozen and never changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self
from uuid import UUID

import msgspec
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Coalesce, Now

from requests_log.models import Correction
from workbench.core.errors import DomainError
from workbench.core.ids import uuid7
from workbench.core.models import Project, User

READ_CHUNK = 500
READ_BYTES = 16 << 20
"""Bytes of payloads that are read at once (but at least one row)."""


_INTEGER: models.Field[int, int] = models.IntegerField()


class WithoutAnswers(DomainError):
    """The version holds rows that nobody answered yet."""

    code = "without_answers"


class DatasetQuerySet(models.QuerySet["Dataset"]):
    def in_project(self, project: Project) -> Self:
        return self.filter(project=project)

    def newest_first(self) -> Self:
        return self.order_by("-pk")

    def matching(self, text: str) -> Self:
        """With all the words in the name or the description."""
        found = self
        for word in text.split():
            found = found.filter(Q(name__icontains=word) | Q(description__icontains=word))
        return found

    def with_counts(self) -> Self:
        """Adds `example_count` and `last_version` (a number, or None)."""
        examples = Example.objects.filter(dataset=models.OuterRef("pk")).order_by()
        versions = DatasetVersion.objects.filter(dataset=models.OuterRef("pk"))
        counted = examples.values("dataset").annotate(n=models.Count("pk")).values("n")
        return self.annotate(
            example_count=Coalesce(models.Subquery(counted), 0),
            last_version=models.Subquery(versions.order_by("-number").values("number")[:1]),
            last_frozen_at=models.Subquery(versions.order_by("-number").values("created_at")[:1]),
        )


class Dataset(models.Model):
    """A growing collection of examples that a model is to learn from or be judged on."""

    class GroupBy(models.TextChoices):
        """What must not be torn apart by a split."""

        PROMPT = "prompt", "Prompt text"
        SESSION = "session", "Session"
        USER = "user", "User"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="datasets")
    slug = models.SlugField(max_length=60)
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True, default="")
    group_by = models.CharField(max_length=10, choices=GroupBy, default=GroupBy.PROMPT)
    # What models are judged on: other datasets are checked for holding its questions.
    is_evaluation_set = models.BooleanField(default=False, db_default=False)
    # The highest version number ever given: a deleted version's number is not given again.
    versions_made = models.PositiveIntegerField(default=0, db_default=0)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    objects = DatasetQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint("project", "slug", name="dataset_slug_once"),
            models.CheckConstraint(condition=~Q(name=""), name="dataset_has_a_name"),
        ]

    def __str__(self) -> str:
        return self.name


class Content(models.Model):
    """One row's content, stored once per project under the SHA-256 of its canonical JSON.

    `payload` is a conversation, a preference pair, a text or inputs, as `canonical` describes; keys
    sorted, UTF-8. The other columns are facts taken from it for lists and charts; `turns` is 0 for
    what has no answer.
    """

    # The unique constraint's index is for it, too. With one of its own, Postgres looks a hash up
    # among all of the project's contents while it takes the table for empty.
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    sha256 = models.BinaryField(max_length=32)
    payload = models.BinaryField()
    question = models.CharField(max_length=300)
    answer = models.CharField(max_length=300)
    turns = models.PositiveIntegerField()
    prompt_characters = models.PositiveIntegerField()
    answer_characters = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint("project", "sha256", name="content_once_per_project"),
            models.CheckConstraint(
                condition=Q(
                    sha256=Func(F("payload"), function="sha256", output_field=models.BinaryField())
                ),
                name="content_matches_its_hash",
            ),
        ]

    def __str__(self) -> str:
        return self.question

    @property
    def body(self) -> dict[str, Any]:
        """The payload, parsed."""
        parsed: dict[str, Any] = msgspec.json.decode(bytes(self.payload))
        return parsed

    @property
    def hash(self) -> str:
        return bytes(self.sha256).hex()


class ExampleQuerySet(models.QuerySet["Example"]):
    def in_dataset(self, dataset: Dataset) -> Self:
        return self.filter(dataset=dataset)

    def from_request(self, project: Project, request_id: UUID) -> Self:
        return self.filter(dataset__project=project, request_id=request_id)

    def newest_first(self) -> Self:
        return self.order_by("-pk")

    def tagged(self, tags: Mapping[str, str]) -> Self:
        """Those that have all of these tags; without tags, all."""
        # Said twice, so that Postgres looks only through the examples that have tags.
        return self.exclude(tags={}).filter(tags__contains=dict(tags)) if tags else self

    def with_corrected_since(self) -> Self:
        """Adds `is_corrected_since`: what `corrected_since` finds."""
        return self.annotate(is_corrected_since=_corrected_since())

    def corrected_since(self, project: Project) -> Self:
        """Whose request's answer was corrected, or a correction withdrawn, after they saw it.

        The few corrected requests of the project lead to the examples, not the other way round.
        """
        corrected = Correction.objects.filter(project=project).values("request_id")
        return self.filter(_corrected_since(), request_id__in=corrected)


def _corrected_since() -> models.Exists:
    later = Correction.objects.filter(
        project_id=models.OuterRef("dataset__project_id"),
        request_id=models.OuterRef("request_id"),
        number__gt=Coalesce(models.OuterRef("correction"), 0),
    )
    return models.Exists(later)


class Example(models.Model):
    """One conversation in a dataset; its last message is the answer the model is to learn.

    `fingerprint` is the group a split keeps together (see `splits`), `request_id` the logged
    request it came from, `source` and `line` the import and the place in its file. `correction` is
    the number of the request's newest correction when the example was made or last settled; 0 or
    null when there was none. `tags` are texts by name.
    """

    class Provenance(models.TextChoices):
        PRODUCTION = "production", "Production"
        TEACHER = "teacher", "Teacher"
        HUMAN = "human", "Human"
        IMPORT = "import", "Import"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="examples")
    content = models.ForeignKey(Content, on_delete=models.RESTRICT, related_name="examples")
    fingerprint = models.BinaryField(max_length=32)
    provenance = models.CharField(max_length=10, choices=Provenance)
    request_id = models.UUIDField(null=True, blank=True)
    source = models.ForeignKey(
        "datasets.DatasetImport", on_delete=models.SET_NULL, null=True, related_name="+"
    )
    line = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    correction = models.PositiveIntegerField(null=True)
    tags = models.JSONField(default=dict, blank=True, db_default=Value({}, models.JSONField()))

    objects = ExampleQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint("dataset", "content", name="example_once_per_dataset")
        ]
        indexes = [
            models.Index(fields=["dataset", "-id"], name="example_by_dataset"),
            models.Index(
                fields=["dataset", "-id"], name="tagged_example_by_dataset", condition=~Q(tags={})
            ),
            models.Index(
                "request_id", name="example_by_request", condition=Q(request_id__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.content} ({self.provenance})"


class ExampleEdit(models.Model):
    """What an example was before somebody changed it; the oldest edit holds the original."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    example = models.ForeignKey(Example, on_delete=models.CASCADE, related_name="edits")
    content = models.ForeignKey(Content, on_delete=models.RESTRICT, related_name="+")
    fingerprint = models.BinaryField(max_length=32)
    provenance = models.CharField(max_length=10, choices=Example.Provenance)
    edited_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    edited_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.content}, until {self.edited_at:%Y-%m-%d %H:%M}"


class DatasetVersionQuerySet(models.QuerySet["DatasetVersion"]):
    def in_project(self, project: Project) -> Self:
        return self.filter(dataset__project=project)

    def newest_first(self) -> Self:
        return self.order_by("-number")

    def containing_request(self, request_id: UUID) -> Self:
        """Versions one of whose rows came from this logged request."""
        return self.filter(
            pk__in=VersionRow.objects.filter(request_id=request_id).values("version")
        )


class DatasetVersion(models.Model):
    """A frozen manifest of a dataset: which contents, in which order, in which split.

    `content_hash` is the SHA-256 over the rows' (content hash, split) in order, so equal contents
    with an equal split have an equal hash. `transforms` lists what was done to the examples before
    (fixes in force), `filter_text` the query they were chosen by. Triggers refuse every later
    change but of the notes and of `is_evaluation_set`.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    content_hash = models.CharField(max_length=64)
    train_rows = models.PositiveIntegerField()
    heldout_rows = models.PositiveIntegerField()
    heldout_percent = models.FloatField()
    filter_text = models.TextField(blank=True, default="")
    notes = models.TextField(blank=True, default="")
    transforms = models.JSONField(default=list, db_default=Value([], models.JSONField()))
    is_evaluation_set = models.BooleanField(default=False, db_default=False)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField()

    objects = DatasetVersionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint("dataset", "number", name="dataset_version_number_once"),
            models.CheckConstraint(
                condition=Q(train_rows__gt=0) | Q(heldout_rows__gt=0),
                name="dataset_version_has_rows",
            ),
            models.CheckConstraint(
                condition=Q(heldout_percent__gte=0, heldout_percent__lte=100),
                name="dataset_version_split_is_a_share",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.dataset} v{self.number}"

    @property
    def row_count(self) -> int:
        return self.train_rows + self.heldout_rows

    def require_answers(self) -> None:
        """Training and comparing take conversations that end with an answer.

        Raises:
            WithoutAnswers: a row is a text, or inputs for a prompt.
        """
        rows = VersionRow.objects.filter(version=self)
        if rows.filter(content__turns=0).exists():
            raise WithoutAnswers(
                f"{self} holds rows without an answer: texts, or inputs for a prompt. Let a model "
                "or a person answer them first, or take them out of the dataset and freeze again."
            )

    def rows(self, split: str | None = None) -> Iterator[dict[str, Any]]:
        """Stream `{"id", …}` with a row's content in the frozen order; `id` is its hash.

        Reads a few hundred rows at a time, so memory does not grow with the version.
        """
        for chunk in self.chunks(split):
            for _, sha256, payload in chunk:
                yield {"id": sha256.hex(), **msgspec.json.decode(payload)}

    def chunks(self, split: str | None = None) -> Iterator[list[tuple[int, bytes, bytes]]]:
        """Lists of (position, sha256, payload), a few hundred at a time."""
        after = -1
        while chunk := self.chunk_after(after, split):
            yield chunk
            after = chunk[-1][0]

    def chunk_after(self, position: int, split: str | None) -> list[tuple[int, bytes, bytes]]:
        """The next rows behind a position."""
        rows = VersionRow.objects.filter(version=self, position__gt=position).order_by("position")
        if split is not None:
            rows = rows.filter(split=split)
        keys = list(rows.values_list("position", "content")[:READ_CHUNK])
        found = read_contents([content for _, content in keys])
        return [(at, *content) for (at, _), content in zip(keys, found, strict=False)]

    def request_ids(self) -> models.QuerySet[VersionRow, UUID | None]:
        """The logged requests its rows came from."""
        rows = VersionRow.objects.filter(version=self, request_id__isnull=False)
        return rows.order_by("position").values_list("request_id", flat=True)


class VersionRow(models.Model):
    """A row of a frozen version."""

    class Split(models.TextChoices):
        TRAIN = "train", "Train"
        HELDOUT = "heldout", "Held out"

    pk = models.CompositePrimaryKey("version_id", "position")
    version = models.ForeignKey(
        DatasetVersion, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    position = models.PositiveIntegerField()
    content = models.ForeignKey(Content, on_delete=models.RESTRICT, related_name="+")
    split = models.CharField(max_length=7, choices=Split)
    fingerprint = models.BinaryField(max_length=32)
    provenance = models.CharField(max_length=10, choices=Example.Provenance)
    request_id = models.UUIDField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint("version", "content", name="version_row_once"),
            models.CheckConstraint(
                condition=Q(split__in=["train", "heldout"]), name="version_row_has_a_split"
            ),
        ]
        indexes = [
            models.Index(
                "request_id", name="version_row_by_request", condition=Q(request_id__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"row {self.position} ({self.split})"


def read_contents(ids: Sequence[int]) -> list[tuple[bytes, bytes]]:
    """(sha256, payload) of the first of these contents, as many as fit into memory together.

    Read by key and not by a join: right after a bulk insert there are no statistics, and Postgres
    would go through all contents for every few hundred rows.
    """
    contents = Content.objects.filter(pk__in=ids)
    size = Func(F("payload"), function="octet_length", output_field=_INTEGER)
    sizes = dict(contents.values_list("pk", size))
    chosen = _first_within(ids, sizes, READ_BYTES)
    found = {
        pk: (bytes(sha256), bytes(payload))
        for pk, sha256, payload in Content.objects.filter(pk__in=chosen).values_list(
            "pk", "sha256", "payload"
        )
    }
    return [found[pk] for pk in chosen]


def _first_within(ids: Sequence[int], sizes: Mapping[int, int], limit: int) -> Sequence[int]:
    """The first ids whose sizes fit in together; the first one always does."""
    for count, pk in enumerate(ids):
        limit -= sizes[pk]
        if count and limit < 0:
            return ids[:count]
    return ids
