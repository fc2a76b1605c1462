"""The record of erasures."""

from __future__ import annotations

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import workbench.core.ids

PK = models.UUIDField(
    default=workbench.core.ids.uuid7, editable=False, primary_key=True, serialize=False
)


def _kept_without(to: str) -> models.ForeignKey:  # type: ignore[type-arg]
    return models.ForeignKey(
        null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to=to
    )


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0003_job_key_once_without_project"),
        ("datasets", "0005_versions_in_use"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.CreateModel(
            name="Erasure",
            fields=[
                ("id", PK),
                ("subject_hash", models.CharField(max_length=64)),
                ("counts", models.JSONField(default=dict)),
                ("versions", models.JSONField(default=list)),
                ("dependents", models.JSONField(default=list)),
                ("created_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
                ("created_by", _kept_without(settings.AUTH_USER_MODEL)),
                ("job", _kept_without("core.job")),
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
    ]
