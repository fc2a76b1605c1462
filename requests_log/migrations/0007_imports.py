"""The tables of imports and of what was wrong with their rows."""

from __future__ import annotations

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import workbench.core.ids


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0003_job_key_once_without_project"),
        ("requests_log", "0006_quarantine_given_up"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Import",
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
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("started_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("name", models.CharField(max_length=200)),
                ("size", models.BigIntegerField()),
                ("sha256", models.CharField(max_length=64)),
                ("address", models.TextField(default="")),
                ("format", models.CharField(max_length=40)),
                ("container", models.CharField(max_length=20)),
                ("mapping", models.JSONField(default=dict)),
                ("undated", models.DateTimeField()),
                ("total", models.BigIntegerField(null=True)),
                ("position", models.BigIntegerField(default=0)),
                ("calls", models.BigIntegerField(default=0)),
                ("spans", models.BigIntegerField(default=0)),
                ("scores", models.BigIntegerField(default=0)),
                ("duplicates", models.BigIntegerField(default=0)),
                ("rejected", models.BigIntegerField(default=0)),
                ("broke_off", models.TextField(default="")),
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
                        related_name="imports",
                        to="core.project",
                    ),
                ),
            ],
            options={
                "db_table": "requests_log_import",
            },
        ),
        migrations.CreateModel(
            name="ImportProblem",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("line", models.BigIntegerField()),
                ("sentence", models.CharField(max_length=500)),
                (
                    "source",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="problems",
                        to="requests_log.import",
                    ),
                ),
            ],
            options={
                "db_table": "requests_log_import_problem",
            },
        ),
        migrations.AddIndex(
            model_name="import",
            index=models.Index(fields=["project", "-id"], name="import_by_project"),
        ),
        migrations.AddIndex(
            model_name="import",
            index=models.Index(fields=["project", "sha256"], name="import_by_content"),
        ),
        migrations.AddConstraint(
            model_name="importproblem",
            constraint=models.UniqueConstraint(
                models.F("source"),
                models.F("line"),
                models.F("sentence"),
                name="import_problem_once",
            ),
        ),
    ]
