"""Rating forms, studies, what is rated in them, and what raters said."""

from __future__ import annotations

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.functions.text
from django.conf import settings
from django.db import migrations, models

import workbench.core.ids


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("core", "0004_scope_of_prompts"),
        ("datasets", "0008_findings_by_check_only"),
        ("evals", "0003_candidates_priced"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Item",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=workbench.core.ids.uuid7,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("position", models.PositiveIntegerField()),
                ("group", models.CharField(blank=True, default="", max_length=300)),
                ("row", models.PositiveIntegerField(null=True)),
                ("request_id", models.UUIDField(null=True)),
                (
                    "content",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="datasets.content",
                    ),
                ),
                (
                    "left",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="evals.candidate",
                    ),
                ),
                (
                    "right",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="evals.candidate",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="RatingForm",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=workbench.core.ids.uuid7,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("name", models.CharField(max_length=120)),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="rating_forms",
                        to="core.project",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="RatingFormVersion",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=workbench.core.ids.uuid7,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                ("fields", models.JSONField()),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "form",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="versions",
                        to="human.ratingform",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Slot",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=workbench.core.ids.uuid7,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("position", models.PositiveIntegerField()),
                ("number", models.PositiveSmallIntegerField()),
                ("lease_until", models.DateTimeField(null=True)),
                ("rated_at", models.DateTimeField(null=True)),
                (
                    "skipped_by",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), default=list, size=None
                    ),
                ),
                (
                    "held_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "item",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="slots",
                        to="human.item",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Rating",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=workbench.core.ids.uuid7,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("is_skip", models.BooleanField(default=False)),
                (
                    "choice",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("left", "Left"),
                            ("right", "Right"),
                            ("tie", "Tie"),
                            ("both_bad", "Both bad"),
                        ],
                        default="",
                        max_length=8,
                    ),
                ),
                ("answers", models.JSONField(default=dict)),
                ("comment", models.TextField(blank=True, default="")),
                ("at", models.DateTimeField()),
                ("undone_at", models.DateTimeField(null=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "slot",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="ratings",
                        to="human.slot",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Study",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=workbench.core.ids.uuid7,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("name", models.CharField(max_length=120)),
                (
                    "kind",
                    models.CharField(
                        choices=[("rating", "Rating"), ("side_by_side", "Side by side")],
                        max_length=12,
                    ),
                ),
                (
                    "source",
                    models.CharField(
                        choices=[
                            ("comparison", "Answers of a comparison"),
                            ("log", "Logged requests"),
                            ("dataset", "Examples of a dataset"),
                        ],
                        max_length=10,
                    ),
                ),
                ("query", models.TextField(blank=True, default="")),
                ("instructions", models.TextField(blank=True, default="")),
                ("everybody", models.BooleanField(default=True)),
                ("per_item", models.PositiveSmallIntegerField(default=1)),
                ("per_rater", models.PositiveIntegerField(null=True)),
                ("both_bad", models.BooleanField(default=False)),
                ("seed", models.BigIntegerField()),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "comparison",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="studies",
                        to="evals.comparison",
                    ),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "dataset",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="datasets.dataset",
                    ),
                ),
                (
                    "form",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="studies",
                        to="human.ratingformversion",
                    ),
                ),
                (
                    "job",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="core.job",
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="studies",
                        to="core.project",
                    ),
                ),
                ("raters", models.ManyToManyField(related_name="+", to=settings.AUTH_USER_MODEL)),
            ],
            options={
                "verbose_name_plural": "studies",
            },
        ),
        migrations.AddField(
            model_name="slot",
            name="study",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="slots", to="human.study"
            ),
        ),
        migrations.AddField(
            model_name="item",
            name="study",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="items", to="human.study"
            ),
        ),
        migrations.AddConstraint(
            model_name="ratingform",
            constraint=models.CheckConstraint(
                condition=models.Q(("name", ""), _negated=True), name="rating_form_has_a_name"
            ),
        ),
        migrations.AddConstraint(
            model_name="ratingform",
            constraint=models.UniqueConstraint(
                models.F("project"),
                django.db.models.functions.text.Lower("name"),
                name="rating_form_name_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="ratingformversion",
            constraint=models.UniqueConstraint(
                models.F("form"), models.F("number"), name="rating_form_number_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="ratingformversion",
            constraint=models.CheckConstraint(
                condition=models.Q(("number__gt", 0)), name="rating_form_counts_from_one"
            ),
        ),
        migrations.AddIndex(
            model_name="rating",
            index=models.Index(fields=["user", "-id"], name="study_ratings_of_a_person"),
        ),
        migrations.AddConstraint(
            model_name="rating",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_skip", False), ("undone_at", None)),
                fields=("slot",),
                name="study_rating_once_a_slot",
            ),
        ),
        migrations.AddIndex(
            model_name="study",
            index=models.Index(fields=["project", "-id"], name="study_by_project"),
        ),
        migrations.AddConstraint(
            model_name="study",
            constraint=models.CheckConstraint(
                condition=models.Q(("name", ""), _negated=True), name="study_has_a_name"
            ),
        ),
        migrations.AddConstraint(
            model_name="study",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("form__isnull", False), ("kind", "rating")),
                    models.Q(("form", None), ("kind", "side_by_side"), ("source", "comparison")),
                    _connector="OR",
                ),
                name="study_knows_what_it_asks",
            ),
        ),
        migrations.AddConstraint(
            model_name="study",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("per_item__gte", 1),
                    ("per_item__lte", 10),
                    models.Q(("per_rater", None), ("per_rater__gt", 0), _connector="OR"),
                ),
                name="study_has_raters",
            ),
        ),
        migrations.AddIndex(
            model_name="slot",
            index=models.Index(
                condition=models.Q(("rated_at", None)),
                fields=["study", "position", "number"],
                name="study_slots_waiting",
            ),
        ),
        migrations.AddConstraint(
            model_name="slot",
            constraint=models.UniqueConstraint(
                models.F("item"), models.F("number"), name="study_slot_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="slot",
            constraint=models.UniqueConstraint(
                fields=("item", "held_by"), name="study_slot_once_a_person"
            ),
        ),
        migrations.AddConstraint(
            model_name="item",
            constraint=models.UniqueConstraint(
                models.F("study"), models.F("position"), name="study_item_position_once"
            ),
        ),
    ]
