"""Connections: where a project's models are and what opens the door."""

from __future__ import annotations

from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from workbench.core.egress import origin_of
from workbench.core.ids import uuid7
from workbench.core.models import Project, User

NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,39}$"


def _is_null_or_positive(name: str) -> Q:
    return Q(**{f"{name}__isnull": True}) | Q(**{f"{name}__gte": 1})


class ConnectionQuerySet(models.QuerySet["Connection"]):
    def in_project(self, project: Project) -> Self:
        return self.filter(project=project)

    def by_name(self) -> Self:
        """The default first, then by name."""
        return self.order_by("-is_default", "name", "pk")

    def of_models(self) -> Self:
        """Those that models are called through."""
        return self.exclude(kind=Connection.Kind.HUGGING_FACE)

    def hubs(self) -> Self:
        """Those that datasets are pushed through."""
        return self.filter(kind=Connection.Kind.HUGGING_FACE)


class Connection(models.Model):
    """A provider, its address and its sealed credential."""

    class Kind(models.TextChoices):
        OPENAI_COMPATIBLE = "openai-compatible", "OpenAI-compatible"
        ANTHROPIC = "anthropic", "Anthropic"
        AZURE = "azure", "Azure OpenAI"
        HUGGING_FACE = "hugging-face", "Hugging Face Hub"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="connections")
    name = models.CharField(
        max_length=40,
        validators=[
            RegexValidator(NAME_PATTERN, "Use lower-case letters, digits, “-” and “_” only.")
        ],
    )
    kind = models.CharField(max_length=20, choices=Kind, default=Kind.OPENAI_COMPATIBLE)
    base_url = models.CharField(max_length=500)
    api_version = models.CharField(max_length=40, blank=True, default="")
    sealed_credential = models.BinaryField(null=True, editable=False)
    model_names = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    is_default = models.BooleanField(default=False)
    allow_private_network = models.BooleanField(default=False)
    retries = models.PositiveSmallIntegerField(default=0)
    fallbacks = ArrayField(models.CharField(max_length=300), default=list, blank=True)
    first_byte_seconds = models.PositiveIntegerField(null=True, blank=True)
    cache_seconds = models.PositiveIntegerField(default=0)
    requests_per_minute = models.PositiveIntegerField(null=True, blank=True)
    tokens_per_minute = models.PositiveIntegerField(null=True, blank=True)
    at_once = models.PositiveIntegerField(null=True, blank=True)
    batches = models.BooleanField(default=False)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    checked_at = models.DateTimeField(null=True, blank=True)
    problem = models.CharField(max_length=500, blank=True, default="")

    objects = ConnectionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint("project", "name", name="connection_name_once"),
            models.UniqueConstraint(
                "project", condition=Q(is_default=True), name="connection_one_default"
            ),
            models.CheckConstraint(
                condition=Q(name__regex=NAME_PATTERN), name="connection_name_shape"
            ),
            models.CheckConstraint(condition=~Q(base_url=""), name="connection_has_an_address"),
            models.CheckConstraint(
                condition=_is_null_or_positive("requests_per_minute")
                & _is_null_or_positive("tokens_per_minute")
                & _is_null_or_positive("at_once"),
                name="connection_limits_positive",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def origin(self) -> str:
        """Scheme, host and port: what the credential is bound to."""
        return origin_of(self.base_url)

    @property
    def is_azure(self) -> bool:
        return self.kind == Connection.Kind.AZURE

    @property
    def serves_models(self) -> bool:
        """Whether models are called through it; the Hub has none to call."""
        return self.kind != Connection.Kind.HUGGING_FACE

    @property
    def has_credential(self) -> bool:
        return self.sealed_credential is not None


class Grant(models.Model):
    """Permits for calls that a process of ours took of an account's limits at one moment.

    `account` stands for an address with its key (see `sharing`, which reads and writes these)."""

    id = models.BigAutoField(primary_key=True)
    account = models.CharField(max_length=64)
    granted_at = models.DateTimeField()
    requests = models.FloatField()
    tokens = models.FloatField()

    class Meta:
        indexes = [models.Index(fields=["account", "granted_at"], name="grants_of_account")]

    def __str__(self) -> str:
        return f"{self.requests:g} calls at {self.granted_at}"


class Caller(models.Model):
    """A process of ours that calls an account, and how many calls at once are its part."""

    id = models.BigAutoField(primary_key=True)
    account = models.CharField(max_length=64)
    holder = models.CharField(max_length=36)
    slots = models.PositiveIntegerField()
    seen_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint("account", "holder", name="caller_once")]

    def __str__(self) -> str:
        return f"{self.holder}: {self.slots}"
