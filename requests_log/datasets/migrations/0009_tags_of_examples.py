"""Examples have tags; only those that have some are in the index, so the rest pay nothing."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("datasets", "0008_findings_by_check_only")]
    operations = [
        migrations.AddField(
            model_name="example",
            name="tags",
            field=models.JSONField(
                blank=True, db_default=models.Value({}, models.JSONField()), default=dict
            ),
        ),
        migrations.AddIndex(
            model_name="example",
            index=models.Index(
                fields=["dataset", "-id"],
                name="tagged_example_by_dataset",
                condition=~models.Q(tags={}),
            ),
        ),
    ]
