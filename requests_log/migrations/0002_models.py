"""Tell Django about the tables that 0001 made; changes nothing in the database."""

from __future__ import annotations

import django.contrib.postgres.fields
import django.contrib.postgres.search
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0002_queue"),
        ("requests_log", "0001_tables"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name="LoggedRequest",
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
                        ("ttft_ms", models.FloatField(null=True)),
                        ("provider", models.TextField(null=True)),
                        (
                            "operation",
                            models.TextField(
                                choices=[
                                    ("chat", "Chat"),
                                    ("completion", "Completion"),
                                    ("responses", "Responses"),
                                    ("embedding", "Embedding"),
                                ]
                            ),
                        ),
                        ("model", models.TextField(null=True)),
                        (
                            "status",
                            models.TextField(
                                choices=[
                                    ("ok", "OK"),
                                    ("error", "Error"),
                                    ("client_closed", "Client closed"),
                                ]
                            ),
                        ),
                        ("http_status", models.IntegerField(null=True)),
                        ("error_type", models.TextField(null=True)),
                        ("error_message", models.TextField(null=True)),
                        ("prompt_name", models.TextField(null=True)),
                        ("prompt_version", models.IntegerField(null=True)),
                        ("tags", models.JSONField(default=dict)),
                        ("end_user", models.TextField(null=True)),
                        ("session", models.TextField(null=True)),
                        ("trace_id", models.TextField(null=True)),
                        ("span_id", models.TextField(null=True)),
                        ("parent_id", models.TextField(null=True)),
                        ("environment", models.TextField(null=True)),
                        ("release", models.TextField(null=True)),
                        ("source", models.TextField(null=True)),
                        ("key_id", models.BigIntegerField(null=True)),
                        ("request_size", models.IntegerField()),
                        ("response_size", models.IntegerField(null=True)),
                        (
                            "altered",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.TextField(), default=list, size=None
                            ),
                        ),
                        ("messages", models.JSONField(null=True)),
                        ("tools", models.JSONField(null=True)),
                        ("parameters", models.JSONField(null=True)),
                        ("output", models.JSONField(null=True)),
                        ("variables", models.JSONField(null=True)),
                        ("input_preview", models.TextField(null=True)),
                        ("output_preview", models.TextField(null=True)),
                        ("model_used", models.TextField(null=True)),
                        ("finish_reason", models.TextField(null=True)),
                        ("input_tokens", models.IntegerField(null=True)),
                        ("output_tokens", models.IntegerField(null=True)),
                        ("cached_tokens", models.IntegerField(null=True)),
                        ("reasoning_tokens", models.IntegerField(null=True)),
                        ("cost", models.DecimalField(decimal_places=10, max_digits=18, null=True)),
                        ("search", django.contrib.postgres.search.SearchVectorField(null=True)),
                        ("search_cut", models.BooleanField(null=True)),
                        ("digest_version", models.SmallIntegerField(null=True)),
                        ("digested_at", models.DateTimeField(null=True)),
                    ],
                    options={
                        "db_table": "requests_log_logged",
                        "managed": False,
                    },
                ),
                migrations.CreateModel(
                    name="Digest",
                    fields=[
                        ("messages", models.JSONField(null=True)),
                        ("tools", models.JSONField(null=True)),
                        ("parameters", models.JSONField(null=True)),
                        ("output", models.JSONField(null=True)),
                        ("variables", models.JSONField(null=True)),
                        ("input_preview", models.TextField(null=True)),
                        ("output_preview", models.TextField(null=True)),
                        ("model_used", models.TextField(null=True)),
                        ("finish_reason", models.TextField(null=True)),
                        ("input_tokens", models.IntegerField(null=True)),
                        ("output_tokens", models.IntegerField(null=True)),
                        ("cached_tokens", models.IntegerField(null=True)),
                        ("reasoning_tokens", models.IntegerField(null=True)),
                        ("cost", models.DecimalField(decimal_places=10, max_digits=18, null=True)),
                        ("search", django.contrib.postgres.search.SearchVectorField(null=True)),
                        ("search_cut", models.BooleanField(null=True)),
                        ("digest_version", models.SmallIntegerField(null=True)),
                        ("digested_at", models.DateTimeField(null=True)),
                        ("id", models.UUIDField(primary_key=True, serialize=False)),
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
                        "db_table": "requests_log_digest",
                    },
                ),
                migrations.CreateModel(
                    name="DroppedByClient",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "project_id",
                                "day",
                                "reason",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("day", models.DateField()),
                        ("reason", models.TextField()),
                        ("count", models.BigIntegerField()),
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
                        "db_table": "requests_log_dropped",
                    },
                ),
                migrations.CreateModel(
                    name="Quarantined",
                    fields=[
                        ("id", models.UUIDField(primary_key=True, serialize=False)),
                        (
                            "received_at",
                            models.DateTimeField(
                                db_default=django.db.models.functions.datetime.Now()
                            ),
                        ),
                        ("sqlstate", models.TextField(db_default="")),
                        ("error", models.TextField()),
                        ("facts", models.BinaryField()),
                        ("request", models.BinaryField()),
                        ("response", models.BinaryField(null=True)),
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
                        "db_table": "requests_log_quarantine",
                    },
                ),
                migrations.CreateModel(
                    name="RequestBody",
                    fields=[
                        ("id", models.UUIDField(primary_key=True, serialize=False)),
                        (
                            "codec",
                            models.TextField(choices=[("raw", "As sent"), ("zstd", "Zstandard")]),
                        ),
                        ("request", models.BinaryField()),
                        ("request_sha256", models.BinaryField()),
                        ("response", models.BinaryField(null=True)),
                        ("response_sha256", models.BinaryField(null=True)),
                        ("variables", models.BinaryField(null=True)),
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
                        "db_table": "requests_log_body",
                    },
                ),
                migrations.CreateModel(
                    name="RequestRow",
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
                        ("ttft_ms", models.FloatField(null=True)),
                        ("provider", models.TextField(null=True)),
                        (
                            "operation",
                            models.TextField(
                                choices=[
                                    ("chat", "Chat"),
                                    ("completion", "Completion"),
                                    ("responses", "Responses"),
                                    ("embedding", "Embedding"),
                                ]
                            ),
                        ),
                        ("model", models.TextField(null=True)),
                        (
                            "status",
                            models.TextField(
                                choices=[
                                    ("ok", "OK"),
                                    ("error", "Error"),
                                    ("client_closed", "Client closed"),
                                ]
                            ),
                        ),
                        ("http_status", models.IntegerField(null=True)),
                        ("error_type", models.TextField(null=True)),
                        ("error_message", models.TextField(null=True)),
                        ("prompt_name", models.TextField(null=True)),
                        ("prompt_version", models.IntegerField(null=True)),
                        ("tags", models.JSONField(default=dict)),
                        ("end_user", models.TextField(null=True)),
                        ("session", models.TextField(null=True)),
                        ("trace_id", models.TextField(null=True)),
                        ("span_id", models.TextField(null=True)),
                        ("parent_id", models.TextField(null=True)),
                        ("environment", models.TextField(null=True)),
                        ("release", models.TextField(null=True)),
                        ("source", models.TextField(null=True)),
                        ("key_id", models.BigIntegerField(null=True)),
                        ("request_size", models.IntegerField()),
                        ("response_size", models.IntegerField(null=True)),
                        (
                            "altered",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.TextField(), default=list, size=None
                            ),
                        ),
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
                        "db_table": "requests_log_request",
                    },
                ),
                migrations.CreateModel(
                    name="Undigested",
                    fields=[
                        ("id", models.UUIDField(primary_key=True, serialize=False)),
                        ("attempts", models.SmallIntegerField(db_default=0)),
                        (
                            "retry_at",
                            models.DateTimeField(
                                db_default=django.db.models.functions.datetime.Now()
                            ),
                        ),
                        ("failed_at", models.DateTimeField(null=True)),
                        ("error", models.TextField(db_default="")),
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
                        "db_table": "requests_log_undigested",
                    },
                ),
            ]
        )
    ]
