"""Rating forms, studies, what is rated in them, and what raters said."""

from __future__ import annotations

from functools import cached_property
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Lower, Now

from evals.human.fields import RatingField, stored_fields
from evals.models import Candidate, Comparison
from requests_log.datasets.models import Content, Dataset
from requests_log.models import RequestRow
from workbench.core.ids import uuid7
from workbench.core.models import Job, Project, User

MOST_RATERS_AN_ITEM = 10


class RatingFormQuerySet(models.QuerySet["RatingForm"]):
    def in_project(self, project: Project) -> Self:
        return self.filter(project=project)


class RatingForm(models.Model):
    """What raters are asked; its numbered versions never change."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="rating_forms")
    name = models.CharField(max_length=120)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    objects = RatingFormQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(name=""), name="rating_form_has_a_name"),
            models.UniqueConstraint("project", Lower("name"), name="rating_form_name_once"),
        ]

    def __str__(self) -> str:
        return self.name


class RatingFormVersionQuerySet(models.QuerySet["RatingFormVersion"]):
    def in_project(self, project: Project) -> Self:
        return self.filter(form__project=project)

    def newest_first(self) -> Self:
        return self.order_by("-number")

    def newest_of_each(self) -> Self:
        """One version a form, its newest."""
        return self.order_by("form", "-number").distinct("form")


class RatingFormVersion(models.Model):
    """The fields of a form, in order. A trigger refuses every later change."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    form = models.ForeignKey(RatingForm, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    fields = models.JSONField()
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    objects = RatingFormVersionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint("form", "number", name="rating_form_number_once"),
            models.CheckConstraint(condition=Q(number__gt=0), name="rating_form_counts_from_one"),
        ]

    def __str__(self) -> str:
        return f"{self.form} v{self.number}"

    @cached_property
    def questions(self) -> list[RatingField]:
        return stored_fields(self.fields)


class StudyQuerySet(models.QuerySet["Study"]):
    def in_project(self, project: Project) -> Self:
        return self.filter(project=project)

    def archived(self, is_archived: bool) -> Self:
        """Those that were put away, or those that were not."""
        return self.filter(archived_at__isnull=not is_archived)

    def newest_first(self) -> Self:
        return self.order_by("-pk")


class Study(models.Model):
    """People judge answers, none of them told whose they are before it is finished.

    A rating study asks the fields of a form about each answer; a side-by-side study asks which of
    two candidates' answers is better. Each item is judged by `per_item` people. The order of items
    and the sides of candidates follow from `seed`. `per_rater` is the most a person is given.
    """

    class Kind(models.TextChoices):
        RATING = "rating", "Rating"
        SIDE_BY_SIDE = "side_by_side", "Side by side"

    class Source(models.TextChoices):
        COMPARISON = "comparison", "Answers of a comparison"
        LOG = "log", "Logged requests"
        DATASET = "dataset", "Examples of a dataset"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="studies")
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=12, choices=Kind)
    source = models.CharField(max_length=10, choices=Source)
    comparison = models.ForeignKey(
        Comparison, on_delete=models.CASCADE, null=True, related_name="studies"
    )
    dataset = models.ForeignKey(Dataset, on_delete=models.SET_NULL, null=True, related_name="+")
    query = models.TextField(blank=True, default="")
    form = models.ForeignKey(
        RatingFormVersion, on_delete=models.RESTRICT, null=True, related_name="studies"
    )
    instructions = models.TextField(blank=True, default="")
    everybody = models.BooleanField(default=True)
    raters: models.ManyToManyField[User, models.Model] = models.ManyToManyField(
        User, related_name="+"
    )
    per_item = models.PositiveSmallIntegerField(default=1)
    per_rater = models.PositiveIntegerField(null=True)
    both_bad = models.BooleanField(default=False)
    seed = models.BigIntegerField()
    job = models.ForeignKey(Job, on_delete=models.SET_NULL, null=True, related_name="+")
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)
    archived_at = models.DateTimeField(null=True)
    # Raters who wanted to see whose answers they are before it is finished.
    stepped_back: models.ManyToManyField[User, models.Model] = models.ManyToManyField(
        User, related_name="+"
    )

    objects = StudyQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "studies"
        constraints = [
            models.CheckConstraint(condition=~Q(name=""), name="study_has_a_name"),
            models.CheckConstraint(
                condition=Q(kind="rating", form__isnull=False)
                | Q(kind="side_by_side", form=None, source="comparison"),
                name="study_knows_what_it_asks",
            ),
            models.CheckConstraint(
                condition=Q(per_item__gte=1, per_item__lte=MOST_RATERS_AN_ITEM)
                & (Q(per_rater=None) | Q(per_rater__gt=0)),
                name="study_has_raters",
            ),
        ]
        indexes = [models.Index(fields=["project", "-id"], name="study_by_project")]

    def __str__(self) -> str:
        return self.name

    @property
    def is_side_by_side(self) -> bool:
        return self.kind == self.Kind.SIDE_BY_SIDE

    @property
    def is_finished(self) -> bool:
        return self.finished_at is not None

    @property
    def questions(self) -> list[RatingField]:
        return self.form.questions if self.form else []


class Item(models.Model):
    """One answer to be rated, or two to choose from.

    `group` is what results are kept apart by: a candidate's label, a request's model. Content and
    request may be erased; an item without them is given to nobody. A candidate's answer is looked
    up by `left` (and `right`) and `row`.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="items")
    position = models.PositiveIntegerField()
    group = models.CharField(max_length=300, blank=True, default="")
    row = models.PositiveIntegerField(null=True)
    left = models.ForeignKey(Candidate, on_delete=models.CASCADE, null=True, related_name="+")
    right = models.ForeignKey(Candidate, on_delete=models.CASCADE, null=True, related_name="+")
    # Without a constraint in the database: an erasure must not be kept from deleting content.
    content = models.ForeignKey(
        Content, on_delete=models.DO_NOTHING, null=True, related_name="+", db_constraint=False
    )
    request_id = models.UUIDField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint("study", "position", name="study_item_position_once"),
        ]

    def __str__(self) -> str:
        return f"item {self.position + 1}"


class SlotQuerySet(models.QuerySet["Slot"]):
    def of_study(self, study: Study) -> Self:
        return self.filter(study=study)

    def waiting(self) -> Self:
        """Not judged yet, and what is to be judged is there."""
        request = RequestRow.objects.filter(
            project_id=OuterRef("study__project_id"), id=OuterRef("item__request_id")
        )
        content = Content.objects.filter(pk=OuterRef("item__content_id"))
        return self.filter(Exists(content) | Exists(request), rated_at=None)

    def unheld(self) -> Self:
        return self.filter(Q(lease_until=None) | Q(lease_until__lt=Now()))

    def for_rater(self, user: User) -> Self:
        """One slot of each item: none they skipped, judged or hold.

        A second slot is offered once the first one is taken.
        """
        skipped = Q(skipped_by__contains=[user.pk])
        others = Slot.objects.filter(item=OuterRef("item_id")).exclude(pk=OuterRef("pk"))
        own = others.filter(Q(held_by=user) | skipped)
        earlier = others.filter(number__lt=OuterRef("number"), rated_at=None).unheld()
        return self.exclude(skipped).exclude(Exists(own)).exclude(Exists(earlier))

    def in_order(self) -> Self:
        return self.order_by("position", "number")


class Slot(models.Model):
    """One person's look at one item. `held_by` has it or judged it; until `lease_until` nobody
    else gets it. The constraints say that nobody looks at the same item twice."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="slots")
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="slots")
    position = models.PositiveIntegerField()
    number = models.PositiveSmallIntegerField()
    held_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    lease_until = models.DateTimeField(null=True)
    rated_at = models.DateTimeField(null=True)
    skipped_by = ArrayField(models.BigIntegerField(), default=list)

    objects = SlotQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint("item", "number", name="study_slot_once"),
            models.UniqueConstraint(fields=["item", "held_by"], name="study_slot_once_a_person"),
        ]
        indexes = [
            models.Index(
                fields=["study", "position", "number"],
                name="study_slots_waiting",
                condition=Q(rated_at=None),
            ),
        ]

    def __str__(self) -> str:
        return f"look {self.number} at {self.item_id}"


class RatingQuerySet(models.QuerySet["Rating"]):
    def of_study(self, study: Study) -> Self:
        return self.filter(slot__study=study)

    def standing(self) -> Self:
        return self.filter(undone_at=None)

    def given(self) -> Self:
        """What raters said; skips and what was undone aside."""
        return self.standing().filter(is_skip=False)

    def by(self, study: Study, user: User) -> Self:
        """A person's steps that stand, the newest first."""
        return self.of_study(study).filter(user=user).standing().order_by("-pk")


class Rating(models.Model):
    """What a rater said of an item, or that they skipped it. Rows stay when they are undone.

    `answers` are a form's (see `fields.Answers`), `choice` the better side.
    """

    class Choice(models.TextChoices):
        LEFT = "left", "Left"
        RIGHT = "right", "Right"
        TIE = "tie", "Tie"
        BOTH_BAD = "both_bad", "Both bad"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slot = models.ForeignKey(Slot, on_delete=models.CASCADE, related_name="ratings")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    is_skip = models.BooleanField(default=False)
    choice = models.CharField(max_length=8, choices=Choice, blank=True, default="")
    answers = models.JSONField(default=dict)
    comment = models.TextField(blank=True, default="")
    at = models.DateTimeField()
    undone_at = models.DateTimeField(null=True)

    objects = RatingQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["slot"],
                condition=Q(is_skip=False, undone_at=None),
                name="study_rating_once_a_slot",
            ),
        ]
        indexes = [models.Index(fields=["user", "-id"], name="study_ratings_of_a_person")]

    def __str__(self) -> str:
        return self.choice or ("skipped" if self.is_skip else "rating")
