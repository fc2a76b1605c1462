"""Scores by request, with those of its trace, and an index that finds the low ones."""

from __future__ import annotations

from django.db import migrations, models

# Two branches, so that a rare score is found by its name and each branch uses its own index.
VIEW = """
CREATE VIEW requests_log_request_score AS
SELECT s.id, s.project_id, s.request_id, s.name, s.number, s.label, s.comment
FROM requests_log_score s
WHERE s.request_id IS NOT NULL
UNION ALL
SELECT s.id, s.project_id, r.id, s.name, s.number, s.label, s.comment
FROM requests_log_score s
JOIN requests_log_request r ON r.project_id = s.project_id AND r.trace_id = s.trace_id
WHERE s.trace_id IS NOT NULL;
"""
INDEX = "CREATE INDEX score_by_value ON requests_log_score (project_id, name, number);"


class Migration(migrations.Migration):
    dependencies = [("requests_log", "0009_feedback")]
    operations = [
        migrations.RunSQL(
            VIEW + INDEX, "DROP INDEX score_by_value; DROP VIEW requests_log_request_score;"
        ),
        migrations.CreateModel(
            name="RequestScore",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("request_id", models.UUIDField()),
                ("name", models.TextField()),
                ("number", models.FloatField(null=True)),
                ("label", models.TextField(null=True)),
                ("comment", models.TextField(null=True)),
                (
                    "project",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=models.deletion.DO_NOTHING,
                        related_name="+",
                        to="core.project",
                    ),
                ),
            ],
            options={"db_table": "requests_log_request_score", "managed": False},
        ),
    ]
