"""What was begun from starting points."""

from __future__ import annotations

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import workbench.core.ids


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("core", "0004_scope_of_prompts"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Start",
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
                ("point", models.CharField(max_length=40)),
                ("prompt", models.CharField(max_length=200)),
                ("inputs_id", models.UUIDField()),
                ("examples_id", models.UUIDField(null=True)),
                ("judge_id", models.UUIDField(null=True)),
                ("pipeline_id", models.UUIDField()),
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
                        related_name="starts",
                        to="core.project",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("point", ""), _negated=True), name="start_has_a_point"
                    )
                ],
                "indexes": [models.Index(fields=["project", "-id"], name="start_by_project")],
            },
        ),
    ]
