"""Prompts, their immutable versions, and the labels by which apps fetch them."""

from __future__ import annotations

from typing import Any, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower, Now
from psycopg.types.json import Json

from prompts.names import LATEST
from workbench.core.ids import uuid7
from workbench.core.models import Project, User


class AsWritten(models.JSONField):
    """JSON kept letter by letter: models read a schema's properties in the order written.

    jsonb would sort the keys.
    """

    def db_type(self, connection: Any) -> str:
        return "json"

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        return Json(value)

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return value  # the driver parses json; only jsonb is left to Django


class PromptQuerySet(models.QuerySet["Prompt"]):
    def in_project(self, project: Project) -> Self:
        return self.filter(project=project)

    def current(self) -> Self:
        return self.filter(archived_at=None)

    def by_name(self) -> Self:
        return self.order_by("name", "pk")

    def in_folder(self, folder: str) -> Self:
        return self.filter(name__startswith=folder.strip("/") + "/") if folder else self

    def tagged(self, tag: str) -> Self:
        return self.filter(tags__contains=[tag]) if tag else self

    def labelled(self, label: str) -> Self:
        """With this label on a version; everything has a newest one."""
        return self.filter(labels__name=label) if label and label != LATEST else self

    def matching(self, text: str) -> Self:
        """With all the words in the name or the description."""
        found = self
        for word in text.split():
            found = found.filter(Q(name__icontains=word) | Q(description__icontains=word))
        return found

    def with_labels(self) -> Self:
        targets = LabelTarget.objects.select_related("version").order_by("version__number")
        labels = PromptLabel.objects.order_by("name").prefetch_related(
            models.Prefetch("targets", targets.defer(*(f"version__{f}" for f in LARGE)))
        )
        return self.prefetch_related(models.Prefetch("labels", labels))


class Prompt(models.Model):
    """A named text or list of messages of a project; the folders are the name's first parts.

    `versions_made` is the number of the newest version.
    """

    class Kind(models.TextChoices):
        TEXT = "text", "Text"
        CHAT = "chat", "Chat messages"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="prompts")
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=4, choices=Kind)
    description = models.TextField(blank=True, default="")
    tags = ArrayField(models.CharField(max_length=60), default=list, blank=True)
    versions_made = models.PositiveIntegerField(default=0, db_default=0)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    archived_at = models.DateTimeField(null=True, blank=True)

    objects = PromptQuerySet.as_manager()

    class Meta:
        constraints = [
            # Whatever the case, so that the files of an export are as many everywhere.
            models.UniqueConstraint("project", Lower("name"), name="prompt_name_once"),
            models.CheckConstraint(
                condition=Q(name__regex=r"^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$"),
                name="prompt_name_is_a_path",
            ),
            models.CheckConstraint(condition=Q(kind__in=["text", "chat"]), name="prompt_kind"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def folder(self) -> str:
        return self.name.rpartition("/")[0]

    @property
    def short_name(self) -> str:
        return self.name.rpartition("/")[2]


class PromptVersionQuerySet(models.QuerySet["PromptVersion"]):
    def in_project(self, project: Project) -> Self:
        return self.filter(prompt__project=project)

    def newest_first(self) -> Self:
        return self.order_by("-number")


LARGE = ("body", "few_shot", "tools", "response_schema", "settings", "variables")
"""Columns that lists leave out."""


class PromptVersion(models.Model):
    """What a prompt said at one time; triggers refuse every later change.

    `body` is a template, or a list of messages `{"role", "content", …}` among which
    `{"type": "messages", "name"}` stands for messages put in. `snippets` are the names of the
    prompts it takes in. `content_hash` is the SHA-256 of all that apps get.
    """

    class Syntax(models.TextChoices):
        MUSTACHE = "mustache", "{{variable}}"
        JINJA = "jinja", "Jinja"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    syntax = models.CharField(max_length=10, choices=Syntax)
    body = AsWritten()
    variables = AsWritten(default=list)
    few_shot = AsWritten(default=list)
    tools = AsWritten(default=list)
    response_schema = AsWritten(null=True)
    settings = AsWritten(default=dict)
    message = models.TextField(blank=True, default="")
    snippets = ArrayField(models.CharField(max_length=200), default=list)
    content_hash = models.CharField(max_length=64)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField()

    objects = PromptVersionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint("prompt", "number", name="prompt_version_once"),
            models.UniqueConstraint("prompt", "content_hash", name="prompt_content_once"),
            models.CheckConstraint(condition=Q(number__gte=1), name="prompt_version_from_1"),
            models.CheckConstraint(
                condition=Q(syntax__in=["mustache", "jinja"]), name="prompt_version_syntax"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.prompt}:{self.number}"


class PromptLabel(models.Model):
    """A name that points at a version, or at several by share, and can be moved."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="labels")
    name = models.CharField(max_length=60)
    protected = models.BooleanField(default=False)
    moved_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint("prompt", "name", name="prompt_label_once"),
            models.CheckConstraint(
                condition=Q(name__regex=r"^[A-Za-z0-9][A-Za-z0-9_-]*$"), name="prompt_label_name"
            ),
            models.CheckConstraint(condition=~Q(name=LATEST), name="prompt_label_not_latest"),
        ]

    def __str__(self) -> str:
        return f"{self.prompt}@{self.name}"

    @property
    def shares(self) -> list[dict[str, int]]:
        """`[{"version", "percent"}]`, in order of the versions."""
        return [{"version": t.version.number, "percent": t.percent} for t in self.targets.all()]


class LabelTarget(models.Model):
    """A version that a label points at, with its share; a trigger lets shares sum to 100 only."""

    label = models.ForeignKey(PromptLabel, on_delete=models.CASCADE, related_name="targets")
    version = models.ForeignKey(PromptVersion, on_delete=models.RESTRICT, related_name="targets")
    percent = models.PositiveSmallIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint("label", "version", name="label_target_once"),
            models.CheckConstraint(
                condition=Q(percent__gte=1, percent__lte=100), name="label_target_percent"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.percent} % {self.version}"


class LabelMove(models.Model):
    """A line of a label's history: who moved it when, from where to where, and why.

    `before` and `after` are shares as `PromptLabel.shares`; empty where it did not exist.
    """

    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="moves")
    label = models.CharField(max_length=60)
    before = models.JSONField(default=list)
    after = models.JSONField(default=list)
    reason = models.TextField(blank=True, default="")
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["prompt", "-id"], name="label_move_by_prompt")]
        constraints = [
            models.CheckConstraint(condition=~Q(before=F("after")), name="label_move_moves")
        ]

    def __str__(self) -> str:
        return f"{self.prompt}@{self.label}, {self.at:%Y-%m-%d %H:%M}"


class PromptEvent(models.Model):
    """Who did what to a prompt beside saving versions and moving labels; outlives the prompt.

    `label` is the one that was protected or given free. `by` is None for a program, and for
    somebody whose account is gone.
    """

    class Kind(models.TextChoices):
        PROTECTED = "protected", "Protected"
        UNPROTECTED = "unprotected", "Unprotected"
        DESCRIBED = "described", "Described anew"
        ARCHIVED = "archived", "Archived"
        UNARCHIVED = "unarchived", "Taken up again"
        DELETED = "deleted", "Deleted"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    prompt = models.ForeignKey(Prompt, on_delete=models.SET_NULL, null=True, related_name="events")
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=12, choices=Kind)
    label = models.CharField(max_length=60, blank=True, default="")
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["prompt", "-id"], name="prompt_event_by_prompt"),
            models.Index(fields=["project", "kind", "-id"], name="prompt_event_by_kind"),
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.kind}"
