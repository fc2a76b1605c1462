"""People, projects, API keys and durable jobs."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, Self

from django.contrib.auth.base_user import BaseUserManager
from django.contrib.auth.models import AbstractBaseUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower, Now

from workbench.core.ids import uuid7
from workbench.core.leases import Leased, LeasedQuerySet

if TYPE_CHECKING:
    pass


class UserQuerySet(BaseUserManager["User"]):
    """Named a manager because Django's sign-in asks for `get_by_natural_key`."""

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email__iexact=username)


class User(AbstractBaseUser):
    """A person; signs in by e-mail address."""

    email = models.EmailField(max_length=254, unique=True)
    name = models.CharField(max_length=120, blank=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=Now())

    objects = UserQuerySet()
    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_once")]

    def __str__(self) -> str:
        return self.name or self.email


class SignInAttemptQuerySet(models.QuerySet["SignInAttempt"]):
    def of(self, subject: str) -> Self:
        return self.filter(subject=subject)

    def newest_first(self) -> Self:
        return self.order_by("-at", "-pk")


class SignInAttempt(models.Model):
    """Somebody tried to sign in and has not succeeded; kept for minutes.

    The subject is an HMAC of the account or of the network address: the table names nobody.
    """

    subject = models.CharField(max_length=64)
    at = models.DateTimeField()

    objects = SignInAttemptQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["subject", "at"], name="sign_in_attempt_of_subject"),
            models.Index(fields=["at"], name="sign_in_attempt_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.subject[:8]}… at {self.at}"


class ProjectQuerySet(models.QuerySet["Project"]):
    def of_member(self, user: User) -> Self:
        return self.filter(memberships__user=user)

    def by_name(self) -> Self:
        return self.order_by("name", "pk")


class Project(models.Model):
    """The wall between teams: every row people see belongs to exactly one project."""

    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=120)
    created_at = models.DateTimeField(db_default=Now())

    objects = ProjectQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(name=""), name="project_has_a_name"),
            models.CheckConstraint(condition=~Q(slug=""), name="project_has_a_slug"),
        ]

    def __str__(self) -> str:
        return self.name


class Role(models.TextChoices):
    """What a member may do: viewers read, editors change, owners also decide who may."""

    VIEWER = "viewer", "Viewer"
    EDITOR = "editor", "Editor"
    OWNER = "owner", "Owner"

    def allows(self, needed: Role) -> bool:
        order = list(Role)
        return order.index(self) >= order.index(needed)


class Membership(models.Model):
    """A person in a project."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role, default=Role.VIEWER)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint("project", "user", name="membership_once")]

    def __str__(self) -> str:
        return f"{self.user} ({self.role}) in {self.project}"


class Scope(models.TextChoices):
    """What an API key may be used for."""

    INGEST = "ingest", "Send requests"
    GATEWAY = "gateway", "Call models through the gateway"
    PROMPTS = "prompts", "Fetch prompts"
    READ = "read", "Read requests, datasets, runs and models"
    WRITE = "write", "Change datasets, prompts, runs and models"


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def usable(self, at: datetime) -> Self:
        return self.filter(revoked_at=None).filter(Q(expires_at=None) | Q(expires_at__gt=at))

    def newest_first(self) -> Self:
        return self.order_by("-created_at", "-pk")


class ApiKey(models.Model):
    """A program's credential. Only the prefix and an HMAC of the secret are kept."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=120)
    prefix = models.CharField(max_length=16, unique=True)
    digest = models.CharField(max_length=64)
    scopes = ArrayField(models.CharField(max_length=20, choices=Scope))
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        constraints = [models.CheckConstraint(condition=~Q(name=""), name="api_key_has_a_name")]

    def __str__(self) -> str:
        return f"{self.name} (sh_{self.prefix}…)"


class JobQuerySet(LeasedQuerySet["Job"]):
    def in_project(self, project: Project) -> Self:
        return self.filter(project=project)

    def unfinished(self) -> Self:
        return self.filter(state__in=Job.UNFINISHED)

    def runnable(self) -> Self:
        """Waiting work whose time has come, and work whose worker vanished."""
        return self.unfinished().filter(run_after__lte=Now()).unheld()

    def exhausted(self) -> Self:
        """Work that used up its attempts and whose last worker vanished."""
        return self.filter(
            state=Job.State.RUNNING, attempt__gte=models.F("max_attempts")
        ).abandoned()

    def newest_first(self) -> Self:
        return self.order_by("-pk")


class Job(Leased):
    """One durable piece of background work; a broker message only hints that it exists."""

    class State(models.TextChoices):
        QUEUED = "queued", "Waiting"
        RUNNING = "running", "Running"
        SUCCEEDED = "succeeded", "Done"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    UNFINISHED = (State.QUEUED, State.RUNNING)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, related_name="jobs", null=True, blank=True
    )
    kind = models.CharField(max_length=80)
    title = models.CharField(max_length=200)
    payload = models.JSONField(default=dict)
    key = models.CharField(max_length=200, null=True, blank=True)
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    done = models.PositiveBigIntegerField(default=0)
    total = models.PositiveBigIntegerField(null=True, blank=True)
    note = models.CharField(max_length=300, blank=True, default="")
    result = models.JSONField(default=dict)
    error = models.TextField(blank=True, default="")
    cancel_requested = models.BooleanField(default=False)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    run_after = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "kind", "key"],
                condition=Q(key__isnull=False),
                nulls_distinct=False,  # jobs outside any project too
                name="job_once_per_key",
            ),
            models.CheckConstraint(
                condition=Q(finished_at=None, state__in=["queued", "running"])
                | Q(finished_at__isnull=False, state__in=["succeeded", "failed", "cancelled"]),
                name="job_finished_has_a_time",
            ),
        ]
        indexes = [
            models.Index(
                "run_after", name="job_runnable", condition=Q(state__in=["queued", "running"])
            ),
            models.Index(fields=["project", "-id"], name="job_by_project"),
        ]

    def __str__(self) -> str:
        return f"{self.title} ({self.state})"

    @property
    def is_finished(self) -> bool:
        return self.state not in self.UNFINISHED

    @property
    def fraction(self) -> float | None:
        """Share done, 0 to 1; None while the total is not known."""
        return min(1.0, self.done / self.total) if self.total else None
