"""Imports into datasets, where examples came from, and what they were before an edit."""

from __future__ import annotations

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import workbench.core.ids


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0003_job_key_once_without_project"),
        ("datasets", "0003_hygiene"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="example",
            name="line",
            field=models.BigIntegerField(null=True),
        ),
        migrations.CreateModel(
            name="DatasetImport",
            fields=[
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
                ("total", models.BigIntegerField(null=True)),
                ("position", models.BigIntegerField(default=0)),
                ("duplicates", models.BigIntegerField(default=0)),
                ("rejected", models.BigIntegerField(default=0)),
                ("broke_off", models.TextField(default="")),
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
                    "kind",
                    models.CharField(
                        choices=[
                            ("file", "File"),
                            ("hub", "Hugging Face Hub"),
                            ("document", "Document"),
                        ],
                        default="file",
                        max_length=10,
                    ),
                ),
                (
                    "provenance",
                    models.CharField(
                        choices=[
                            ("production", "Production"),
                            ("teacher", "Teacher"),
                            ("human", "Human"),
                            ("import", "Import"),
                        ],
                        default="import",
                        max_length=10,
                    ),
                ),
                ("options", models.JSONField(default=dict)),
                ("found", models.JSONField(default=dict)),
                ("original", models.TextField(default="")),
                ("added", models.BigIntegerField(default=0)),
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
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="imports",
                        to="datasets.dataset",
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
                    "preparing",
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
            ],
        ),
        migrations.AddField(
            model_name="example",
            name="source",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="datasets.datasetimport",
            ),
        ),
        migrations.CreateModel(
            name="DatasetImportProblem",
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
                        to="datasets.datasetimport",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ExampleEdit",
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
                ("fingerprint", models.BinaryField(max_length=32)),
                (
                    "provenance",
                    models.CharField(
                        choices=[
                            ("production", "Production"),
                            ("teacher", "Teacher"),
                            ("human", "Human"),
                            ("import", "Import"),
                        ],
                        max_length=10,
                    ),
                ),
                ("edited_at", models.DateTimeField()),
                (
                    "content",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="datasets.content",
                    ),
                ),
                (
                    "edited_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "example",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="edits",
                        to="datasets.example",
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="datasetimport",
            index=models.Index(fields=["dataset", "-id"], name="dataset_import_by_dataset"),
        ),
        migrations.AddConstraint(
            model_name="datasetimportproblem",
            constraint=models.UniqueConstraint(
                models.F("source"),
                models.F("line"),
                models.F("sentence"),
                name="dataset_import_problem_once",
            ),
        ),
    ]
