"""Pipelines, their runs, cells and the ledger of calls."""

from __future__ import annotations

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import prompts.models
import workbench.core.ids


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("core", "0004_scope_of_prompts"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Pipeline",
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
                ("description", models.TextField(blank=True, default="")),
                ("definitions_made", models.PositiveIntegerField(default=0)),
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
                        related_name="pipelines",
                        to="core.project",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Definition",
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
                ("steps", prompts.models.AsWritten(default=list)),
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
                    "pipeline",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="definitions",
                        to="pipelines.pipeline",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Run",
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
                ("source", prompts.models.AsWritten(default=dict)),
                ("pinned", prompts.models.AsWritten(default=dict)),
                ("limit", models.PositiveIntegerField(null=True)),
                ("is_test", models.BooleanField(default=False)),
                ("budget", models.DecimalField(decimal_places=6, max_digits=14, null=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "Waiting"),
                            ("running", "Running"),
                            ("done", "Done"),
                            ("budget", "Stopped by its budget"),
                            ("cancelled", "Cancelled"),
                            ("failed", "Failed"),
                        ],
                        default="queued",
                        max_length=10,
                    ),
                ),
                ("note", models.CharField(blank=True, default="", max_length=1000)),
                ("loaded", models.BooleanField(default=False)),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("finished_at", models.DateTimeField(null=True)),
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
                    "definition",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="runs",
                        to="pipelines.definition",
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
                    "pipeline",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="runs",
                        to="pipelines.pipeline",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Row",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("position", models.PositiveIntegerField()),
                ("variables", prompts.models.AsWritten(default=dict)),
                ("request_id", models.UUIDField(null=True)),
                ("content_id", models.BigIntegerField(null=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("done", "Done"),
                            ("failed", "Failed"),
                            ("filtered", "Left out"),
                        ],
                        default="waiting",
                        max_length=8,
                    ),
                ),
                ("first_step", models.PositiveSmallIntegerField(default=0)),
                ("child", models.PositiveIntegerField(null=True)),
                (
                    "parent",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        to="pipelines.row",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="rows",
                        to="pipelines.run",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Cell",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("step", models.PositiveSmallIntegerField()),
                (
                    "state",
                    models.CharField(
                        choices=[("done", "Done"), ("failed", "Failed")], max_length=6
                    ),
                ),
                ("value", prompts.models.AsWritten(null=True)),
                ("kept", models.BooleanField(default=True)),
                ("error_kind", models.CharField(blank=True, default="", max_length=30)),
                ("error", models.TextField(blank=True, default="")),
                (
                    "calls",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.UUIDField(), default=list, size=None
                    ),
                ),
                ("reused", models.BooleanField(default=False)),
                ("cost", models.DecimalField(decimal_places=8, max_digits=14, null=True)),
                ("milliseconds", models.FloatField(null=True)),
                ("input_tokens", models.PositiveIntegerField(null=True)),
                ("output_tokens", models.PositiveIntegerField(null=True)),
                (
                    "row",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="cells",
                        to="pipelines.row",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="cells",
                        to="pipelines.run",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Call",
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
                ("row_id", models.BigIntegerField()),
                ("step", models.PositiveSmallIntegerField()),
                ("sample", models.PositiveIntegerField(default=0)),
                ("key", models.BinaryField(max_length=32)),
                ("model", models.CharField(max_length=300)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("sent", "Sent"),
                            ("done", "Answered"),
                            ("failed", "Failed"),
                            ("unknown", "Outcome unknown"),
                        ],
                        default="sent",
                        max_length=7,
                    ),
                ),
                ("request", models.BinaryField()),
                ("answer", models.BinaryField(null=True)),
                ("message", models.BinaryField(null=True)),
                ("reserved", models.DecimalField(decimal_places=8, max_digits=14, null=True)),
                ("cost", models.DecimalField(decimal_places=8, max_digits=14, null=True)),
                ("input_tokens", models.PositiveIntegerField(null=True)),
                ("output_tokens", models.PositiveIntegerField(null=True)),
                ("milliseconds", models.FloatField(null=True)),
                ("provider_request_id", models.CharField(blank=True, default="", max_length=200)),
                ("error_kind", models.CharField(blank=True, default="", max_length=30)),
                ("error", models.TextField(blank=True, default="")),
                (
                    "sent_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "project",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="core.project",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="calls",
                        to="pipelines.run",
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="pipeline",
            constraint=models.UniqueConstraint(
                models.F("project"), models.F("name"), name="pipeline_name_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="pipeline",
            constraint=models.CheckConstraint(
                condition=models.Q(("name", ""), _negated=True), name="pipeline_has_a_name"
            ),
        ),
        migrations.AddConstraint(
            model_name="definition",
            constraint=models.UniqueConstraint(
                models.F("pipeline"), models.F("number"), name="pipeline_definition_once"
            ),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(fields=["pipeline", "-id"], name="run_by_pipeline"),
        ),
        migrations.AddConstraint(
            model_name="run",
            constraint=models.CheckConstraint(
                condition=models.Q(("budget", None), ("budget__gt", 0), _connector="OR"),
                name="pipeline_budget_is_money",
            ),
        ),
        migrations.AddIndex(
            model_name="row",
            index=models.Index(
                condition=models.Q(("state", "waiting")),
                fields=["run", "position"],
                name="pipeline_rows_left",
            ),
        ),
        migrations.AddConstraint(
            model_name="row",
            constraint=models.UniqueConstraint(
                models.F("run"), models.F("position"), name="pipeline_row_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="row",
            constraint=models.UniqueConstraint(
                models.F("parent"), models.F("child"), name="pipeline_child_once"
            ),
        ),
        migrations.AddIndex(
            model_name="cell",
            index=models.Index(fields=["run", "step", "state"], name="pipeline_cells_by_step"),
        ),
        migrations.AddConstraint(
            model_name="cell",
            constraint=models.UniqueConstraint(
                models.F("row"), models.F("step"), name="pipeline_cell_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="cell",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("error", ""), ("state", "done")),
                    models.Q(("state", "failed"), models.Q(("error", ""), _negated=True)),
                    _connector="OR",
                ),
                name="pipeline_cell_is_done_or_tells_why",
            ),
        ),
        migrations.AddIndex(
            model_name="call",
            index=models.Index(
                condition=models.Q(("state", "done")), fields=["project", "key"], name="call_by_key"
            ),
        ),
        migrations.AddIndex(
            model_name="call",
            index=models.Index(fields=["run", "row_id", "step"], name="call_by_cell"),
        ),
    ]
