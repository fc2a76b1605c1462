"""Spans as OpenTelemetry sent them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import django.db.models.deletion
from django.db import migrations, models

from requests_log.partitions import make_weeks

# Raw spans arrive compressed, see requests_log_body. They are found by trace to be mapped again.
TABLE = """
CREATE TABLE requests_log_otlp_span (
    project_id bigint NOT NULL,
    id uuid NOT NULL,
    key_id bigint,
    mapping_version smallint NOT NULL,
    redaction smallint NOT NULL DEFAULT 0,
    trace_id text NOT NULL,
    codec text NOT NULL CHECK (codec IN ('raw', 'zstd')),
    raw bytea NOT NULL,
    PRIMARY KEY (project_id, id)
) PARTITION BY RANGE (id);
ALTER TABLE requests_log_otlp_span ALTER raw SET STORAGE EXTERNAL;
CREATE TABLE requests_log_otlp_span_default PARTITION OF requests_log_otlp_span DEFAULT;
CREATE INDEX otlp_span_by_trace ON requests_log_otlp_span (project_id, trace_id, id);
CREATE INDEX otlp_span_by_mapping ON requests_log_otlp_span (mapping_version, project_id, id);
"""


def make_first_weeks(apps: Any, schema_editor: Any) -> None:
    make_weeks(at=datetime.now(UTC), parents=("requests_log_otlp_span",))


class Migration(migrations.Migration):
    dependencies = [("requests_log", "0004_spans_and_scores_models")]
    operations = [
        migrations.RunSQL(
            TABLE,
            "DROP TABLE requests_log_otlp_span",
            state_operations=[
                migrations.CreateModel(
                    name="OtlpSpan",
                    fields=[
                        ("id", models.UUIDField(primary_key=True, serialize=False)),
                        ("key_id", models.BigIntegerField(null=True)),
                        ("trace_id", models.TextField()),
                        ("mapping_version", models.SmallIntegerField()),
                        ("redaction", models.SmallIntegerField(db_default=0)),
                        (
                            "codec",
                            models.TextField(choices=[("raw", "As sent"), ("zstd", "Zstandard")]),
                        ),
                        ("raw", models.BinaryField()),
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
                    options={"db_table": "requests_log_otlp_span"},
                ),
            ],
        ),
        migrations.RunPython(make_first_weeks, migrations.RunPython.noop),
    ]
