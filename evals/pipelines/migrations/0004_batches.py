"""Calls of a run that go out in batches."""

from __future__ import annotations

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import workbench.core.ids


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0005_sign_in_attempts"),
        ("pipelines", "0003_people"),
    ]

    operations = [
        migrations.AddField(
            model_name="run",
            name="in_batches",
            field=models.BooleanField(default=False),
        ),
        migrations.AlterField(
            model_name="run",
            name="state",
            field=models.CharField(
                choices=[
                    ("queued", "Waiting"),
                    ("running", "Running"),
                    ("people", "Waiting for people"),
                    ("done", "Done"),
                    ("batch", "Waiting for a batch"),
                    ("budget", "Stopped by its budget"),
                    ("cancelled", "Cancelled"),
                    ("failed", "Failed"),
                ],
                default="queued",
                max_length=10,
            ),
        ),
        migrations.CreateModel(
            name="Batch",
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
                ("model", models.CharField(max_length=300)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("collected", "Collected"),
                            ("submitting", "Being sent"),
                            ("open", "With the provider"),
                            ("done", "Answered"),
                            ("refused", "Refused"),
                        ],
                        default="collected",
                        max_length=10,
                    ),
                ),
                ("requests", models.PositiveIntegerField(default=0)),
                ("bytes", models.PositiveBigIntegerField(default=0)),
                ("file_id", models.CharField(blank=True, default="", max_length=200)),
                ("remote_id", models.CharField(blank=True, default="", max_length=200)),
                ("status", models.CharField(blank=True, default="", max_length=40)),
                ("completed", models.PositiveIntegerField(default=0)),
                ("failed", models.PositiveIntegerField(default=0)),
                ("note", models.CharField(blank=True, default="", max_length=1000)),
                ("cancel_requested", models.BooleanField(default=False)),
                ("is_closed", models.BooleanField(default=False)),
                ("looks", models.PositiveIntegerField(default=0)),
                ("look_at", models.DateTimeField(null=True)),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("submitted_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="batches",
                        to="pipelines.run",
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="call",
            name="batch",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="calls",
                to="pipelines.batch",
            ),
        ),
        migrations.AddIndex(
            model_name="call",
            index=models.Index(
                condition=models.Q(("batch__isnull", False)),
                fields=["batch", "key"],
                name="call_by_batch",
            ),
        ),
        migrations.AddIndex(
            model_name="batch",
            index=models.Index(
                condition=models.Q(("state__in", ["submitting", "open"])),
                fields=["look_at"],
                name="batch_to_look_at",
            ),
        ),
        migrations.AddConstraint(
            model_name="batch",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "open"), _negated=True),
                    models.Q(("remote_id", ""), _negated=True),
                    _connector="OR",
                ),
                name="open_batch_has_a_remote_id",
            ),
        ),
    ]
