"""What waits for review, and what reviewers decided."""

from __future__ import annotations

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import workbench.core.ids


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("core", "0003_job_key_once_without_project"),
        ("datasets", "0002_frozen_versions"),
        ("requests_log", "0011_bulk_actions"),
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
                ("request_id", models.UUIDField()),
                ("slot", models.PositiveSmallIntegerField(default=1)),
                (
                    "reason",
                    models.CharField(
                        choices=[
                            ("thumbs_down", "Thumbs-down"),
                            ("low_score", "Low score"),
                            ("disagreement", "Disagreement"),
                            ("sampled", "Sampled"),
                            ("selected", "Selected"),
                        ],
                        max_length=20,
                    ),
                ),
                (
                    "entered_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("lease_until", models.DateTimeField(null=True)),
                (
                    "verdict",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("accepted", "Accepted"),
                            ("edited", "Edited"),
                            ("rejected", "Rejected"),
                            ("skipped", "Skipped"),
                        ],
                        default="",
                        max_length=10,
                    ),
                ),
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
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="core.project",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Policy",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("thumbs_down", models.BooleanField(default=True)),
                ("score_name", models.CharField(blank=True, default="", max_length=100)),
                ("score_below", models.FloatField(blank=True, null=True)),
                ("disagreement", models.BooleanField(default=False)),
                ("sample_percent", models.FloatField(default=0)),
                ("overlap_percent", models.FloatField(default=0)),
                ("filled_until", models.DateTimeField(null=True)),
                (
                    "dataset",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="datasets.dataset",
                    ),
                ),
                (
                    "project",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="core.project",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Step",
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
                (
                    "verdict",
                    models.CharField(
                        choices=[
                            ("accepted", "Accepted"),
                            ("edited", "Edited"),
                            ("rejected", "Rejected"),
                            ("skipped", "Skipped"),
                        ],
                        max_length=10,
                    ),
                ),
                ("note", models.TextField(blank=True, default="")),
                ("at", models.DateTimeField()),
                ("score_id", models.UUIDField(null=True)),
                ("correction", models.PositiveIntegerField(null=True)),
                ("examples", models.JSONField(default=dict)),
                ("undone_at", models.DateTimeField(null=True)),
                (
                    "item",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="steps",
                        to="review.item",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="item",
            index=models.Index(
                condition=models.Q(("verdict", "")),
                fields=["project", "entered_at", "request_id"],
                name="review_waiting",
            ),
        ),
        migrations.AddConstraint(
            model_name="item",
            constraint=models.UniqueConstraint(
                models.F("project"),
                models.F("request_id"),
                models.F("slot"),
                name="review_item_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="item",
            constraint=models.UniqueConstraint(
                fields=("project", "request_id", "held_by"), name="review_item_once_a_person"
            ),
        ),
        migrations.AddConstraint(
            model_name="policy",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("sample_percent__gte", 0),
                    ("sample_percent__lte", 100),
                    ("overlap_percent__gte", 0),
                    ("overlap_percent__lte", 100),
                ),
                name="review_shares_are_percent",
            ),
        ),
        migrations.AddIndex(
            model_name="step",
            index=models.Index(fields=["user", "-id"], name="review_steps_of_a_person"),
        ),
        migrations.RunSQL(
            "CREATE INDEX score_by_arrival ON requests_log_score (project_id, received_at)",
            "DROP INDEX score_by_arrival",
        ),
    ]
