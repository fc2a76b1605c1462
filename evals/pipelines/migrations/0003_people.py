"""Rows can wait for a person, and a run for all of its people."""

from __future__ import annotations

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("pipelines", "0002_interrupted_runs"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.AlterField(
            model_name="row",
            name="state",
            field=models.CharField(
                choices=[
                    ("waiting", "Waiting"),
                    ("asked", "With a person"),
                    ("done", "Done"),
                    ("failed", "Failed"),
                    ("filtered", "Left out"),
                ],
                default="waiting",
                max_length=8,
            ),
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
                    ("budget", "Stopped by its budget"),
                    ("cancelled", "Cancelled"),
                    ("failed", "Failed"),
                ],
                default="queued",
                max_length=10,
            ),
        ),
        migrations.CreateModel(
            name="HumanTask",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("step", models.PositiveSmallIntegerField()),
                (
                    "outcome",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("approved", "Approved"),
                            ("written", "Written or changed"),
                            ("rejected", "Rejected"),
                        ],
                        default="",
                        max_length=8,
                    ),
                ),
                ("held_until", models.DateTimeField(null=True)),
                (
                    "skipped_by",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), default=list, size=None
                    ),
                ),
                ("decided_at", models.DateTimeField(null=True)),
                (
                    "decided_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
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
                    "row",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="pipelines.row",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="human_tasks",
                        to="pipelines.run",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        models.F("row"), models.F("step"), name="human_task_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(outcome="", decided_at=None)
                        | (~models.Q(outcome="") & models.Q(decided_at__isnull=False)),
                        name="human_task_is_decided_at_a_time",
                    ),
                ],
            },
        ),
    ]
