"""Scores may be categories and be edited; comments; corrected answers."""

from __future__ import annotations

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import workbench.core.ids

TYPES = """
ALTER TABLE requests_log_score
    DROP CONSTRAINT requests_log_score_data_type_check,
    DROP CONSTRAINT score_has_its_value,
    ADD CONSTRAINT requests_log_score_data_type_check
        CHECK (data_type IN ('number', 'boolean', 'category', 'text')),
    ADD CONSTRAINT score_has_its_value CHECK (
        CASE WHEN data_type IN ('category', 'text') THEN label IS NOT NULL AND number IS NULL
             ELSE number IS NOT NULL AND label IS NULL END
    );
"""


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0003_job_key_once_without_project"),
        ("requests_log", "0008_prices"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunSQL(TYPES),
        migrations.AddField(
            model_name="loggedscore",
            name="edited_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="loggedscore",
            name="edited_by",
            field=models.TextField(null=True),
        ),
        migrations.AlterField(
            model_name="loggedscore",
            name="data_type",
            field=models.TextField(
                choices=[
                    ("number", "Number"),
                    ("boolean", "Yes or no"),
                    ("category", "Category"),
                    ("text", "Text"),
                ]
            ),
        ),
        migrations.CreateModel(
            name="Comment",
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
                ("request_id", models.UUIDField()),
                ("text", models.TextField()),
                ("created_at", models.DateTimeField()),
                ("edited_at", models.DateTimeField(null=True)),
                (
                    "author",
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
                "db_table": "requests_log_comment",
                "indexes": [
                    models.Index(fields=["project", "request_id", "id"], name="comment_by_request")
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("text", ""), _negated=True),
                        name="comment_says_something",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Correction",
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
                ("request_id", models.UUIDField()),
                ("number", models.PositiveIntegerField()),
                ("answer", models.JSONField(null=True)),
                ("note", models.TextField(blank=True, default="")),
                ("created_at", models.DateTimeField()),
                (
                    "author",
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
                "db_table": "requests_log_correction",
                "constraints": [
                    models.UniqueConstraint(
                        models.F("project"),
                        models.F("request_id"),
                        models.F("number"),
                        name="correction_number_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("number__gt", 0)), name="correction_counts_from_one"
                    ),
                ],
            },
        ),
    ]
