"""Comparisons choose their grader."""

from __future__ import annotations

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0003_job_key_once_without_project"),
        ("datasets", "0007_corrections_seen"),
        ("evals", "0001_comparisons"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="comparison",
            name="grader_settings",
            field=models.JSONField(db_default=models.Value({}, models.JSONField()), default=dict),
        ),
        migrations.AddField(
            model_name="comparison",
            name="pass_mark",
            field=models.FloatField(db_default=1.0, default=1.0),
        ),
        migrations.AlterField(
            model_name="comparison",
            name="grader",
            field=models.CharField(default="exact", max_length=20),
        ),
        migrations.AddConstraint(
            model_name="comparison",
            constraint=models.CheckConstraint(
                condition=models.Q(("pass_mark__gt", 0), ("pass_mark__lte", 1)),
                name="comparison_can_be_passed",
            ),
        ),
    ]
