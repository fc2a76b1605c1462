"""Tell Django about what 0003 made; changes nothing in the database."""

from __future__ import annotations

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0003_job_key_once_without_project"),
        ("requests_log", "0003_spans_and_scores"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AddField(
                    model_name="quarantined",
                    name="kind",
                    field=models.TextField(
                        choices=[("request", "Request"), ("span", "Span"), ("score", "Score")],
                        db_default="request",
                    ),
                ),
                migrations.AddField(
                    model_name="quarantined",
                    name="variables",
                    field=models.BinaryField(null=True),
                ),
                migrations.AddField(
                    model_name="requestrow",
                    name="redaction",
                    field=models.SmallIntegerField(db_default=0),
                ),
                migrations.AlterField(
                    model_name="quarantined",
                    name="request",
                    field=models.BinaryField(null=True),
                ),
                migrations.CreateModel(
                    name="LoggedScore",
                    fields=[
                        ("id", models.UUIDField(primary_key=True, serialize=False)),
                        ("at", models.DateTimeField()),
                        (
                            "received_at",
                            models.DateTimeField(
                                db_default=django.db.models.functions.datetime.Now()
                            ),
                        ),
                        ("request_id", models.UUIDField(null=True)),
                        ("trace_id", models.TextField(null=True)),
                        ("name", models.TextField()),
                        (
                            "data_type",
                            models.TextField(
                                choices=[
                                    ("number", "Number"),
                                    ("boolean", "Yes or no"),
                                    ("text", "Text"),
                                ]
                            ),
                        ),
                        ("number", models.FloatField(null=True)),
                        ("label", models.TextField(null=True)),
                        (
                            "origin",
                            models.TextField(
                                choices=[
                                    ("end_user", "End user"),
                                    ("human", "Reviewer"),
                                    ("judge", "Judge"),
                                    ("code", "Code"),
                                ]
                            ),
                        ),
                        ("author", models.TextField(null=True)),
                        ("comment", models.TextField(null=True)),
                        ("key_id", models.BigIntegerField(null=True)),
                        ("redaction", models.SmallIntegerField(db_default=0)),
                        (
                            "project",
                            models.ForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="core.project",
                            ),
                        ),
                    ],
                    options={
                        "db_table": "requests_log_score",
                    },
                ),
                migrations.CreateModel(
                    name="LoggedSpan",
                    fields=[
                        ("id", models.UUIDField(primary_key=True, serialize=False)),
                        ("started_at", models.DateTimeField()),
                        (
                            "received_at",
                            models.DateTimeField(
                                db_default=django.db.models.functions.datetime.Now()
                            ),
                        ),
                        ("duration_ms", models.FloatField(null=True)),
                        ("name", models.TextField()),
                        (
                            "kind",
                            models.TextField(
                                choices=[
                                    ("span", "Span"),
                                    ("agent", "Agent"),
                                    ("tool", "Tool"),
                                    ("chain", "Chain"),
                                    ("retriever", "Retriever"),
                                    ("embedding", "Embedding"),
                                    ("guardrail", "Guardrail"),
                                ]
                            ),
                        ),
                        ("status", models.TextField(choices=[("ok", "OK"), ("error", "Error")])),
                        ("error_type", models.TextField(null=True)),
                        ("error_message", models.TextField(null=True)),
                        ("trace_id", models.TextField()),
                        ("span_id", models.TextField()),
                        ("parent_id", models.TextField(null=True)),
                        ("prompt_name", models.TextField(null=True)),
                        ("prompt_version", models.IntegerField(null=True)),
                        ("tags", models.JSONField(default=dict)),
                        ("end_user", models.TextField(null=True)),
                        ("session", models.TextField(null=True)),
                        ("environment", models.TextField(null=True)),
                        ("release", models.TextField(null=True)),
                        ("source", models.TextField(null=True)),
                        ("key_id", models.BigIntegerField(null=True)),
                        ("input_size", models.IntegerField(null=True)),
                        ("output_size", models.IntegerField(null=True)),
                        ("redaction", models.SmallIntegerField(db_default=0)),
                        (
                            "altered",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.TextField(), default=list, size=None
                            ),
                        ),
                        (
                            "codec",
                            models.TextField(choices=[("raw", "As sent"), ("zstd", "Zstandard")]),
                        ),
                        ("sha256", models.BinaryField()),
                        ("input", models.BinaryField(null=True)),
                        ("output", models.BinaryField(null=True)),
                        ("attributes", models.BinaryField(null=True)),
                        (
                            "project",
                            models.ForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="core.project",
                            ),
                        ),
                    ],
                    options={
                        "db_table": "requests_log_span",
                    },
                ),
            ]
        )
    ]
