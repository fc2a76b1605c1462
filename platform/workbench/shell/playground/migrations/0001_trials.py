"""States of the playground, kept under short ids."""

from __future__ import annotations

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import prompts.models
import workbench.shell.playground.models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("core", "0004_scope_of_prompts"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Trial",
            fields=[
                (
                    "id",
                    models.CharField(
                        default=workbench.shell.playground.models.short_id,
                        editable=False,
                        max_length=16,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("title", models.CharField(max_length=120)),
                ("state", prompts.models.AsWritten()),
                ("request_id", models.UUIDField(null=True)),
                ("created_at", models.DateTimeField()),
                ("saved_at", models.DateTimeField()),
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
                        related_name="+",
                        to="core.project",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        fields=["project", "created_by", "-saved_at", "id"], name="trial_recent"
                    ),
                    models.Index(
                        models.F("project"),
                        models.F("request_id"),
                        condition=models.Q(("request_id__isnull", False)),
                        name="trial_by_request",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("id__regex", "^[23456789abcdefghjkmnpqrstuvwxyz]{12}$")
                        ),
                        name="trial_short_id",
                    )
                ],
            },
        ),
    ]
