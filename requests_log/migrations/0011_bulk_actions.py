"""Bulk actions, and what each changed, so that it can be undone."""

from __future__ import annotations

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import workbench.core.ids


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0003_job_key_once_without_project"),
        ("requests_log", "0010_scores_of_requests"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="BulkAction",
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
                ("kind", models.CharField(max_length=40)),
                ("title", models.CharField(max_length=200)),
                ("params", models.JSONField(default=dict)),
                ("selection", models.JSONField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("running", "Under way"),
                            ("done", "Done"),
                            ("undoing", "Being undone"),
                            ("undone", "Undone"),
                            ("final", "Final"),
                        ],
                        default="running",
                        max_length=10,
                    ),
                ),
                ("position", models.UUIDField(null=True)),
                ("total", models.PositiveBigIntegerField(null=True)),
                ("seen", models.PositiveBigIntegerField(default=0)),
                ("changed", models.PositiveBigIntegerField(default=0)),
                ("counts", models.JSONField(default=dict)),
                ("restored", models.PositiveBigIntegerField(default=0)),
                ("created_at", models.DateTimeField()),
                ("undo_until", models.DateTimeField()),
                ("undone_at", models.DateTimeField(null=True)),
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
                        related_name="+",
                        to="core.project",
                    ),
                ),
                (
                    "undo_job",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="core.job",
                    ),
                ),
                (
                    "undone_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "db_table": "requests_log_bulk_action",
            },
        ),
        migrations.CreateModel(
            name="BulkChange",
            fields=[
                ("position", models.BigAutoField(primary_key=True, serialize=False)),
                ("low", models.UUIDField()),
                ("high", models.UUIDField()),
                (
                    "ids",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.UUIDField(), size=None
                    ),
                ),
                (
                    "before",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.JSONField(null=True), size=None
                    ),
                ),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "action",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="changes",
                        to="requests_log.bulkaction",
                    ),
                ),
            ],
            options={
                "db_table": "requests_log_bulk_change",
            },
        ),
        migrations.AddIndex(
            model_name="bulkaction",
            index=models.Index(fields=["project", "-id"], name="bulk_action_by_project"),
        ),
        migrations.AddIndex(
            model_name="bulkaction",
            index=models.Index(
                models.F("undo_until"),
                condition=models.Q(("state__in", ["running", "done", "undoing"])),
                name="bulk_action_to_expire",
            ),
        ),
    ]
