"""Which correction of its request an example was made with."""

from __future__ import annotations

from django.db import migrations, models

SEEN = """
UPDATE datasets_example e SET correction = (
    SELECT max(c.number)
    FROM requests_log_correction c JOIN datasets_dataset d ON d.id = e.dataset_id
    WHERE c.project_id = d.project_id AND c.request_id = e.request_id
        AND c.created_at <= e.created_at)
WHERE e.request_id IS NOT NULL
    AND EXISTS (SELECT FROM requests_log_correction c WHERE c.request_id = e.request_id)
"""


class Migration(migrations.Migration):
    dependencies = [
        ("datasets", "0006_erasures"),
        ("requests_log", "0009_feedback"),
    ]
    operations = [
        migrations.AddField(
            model_name="example",
            name="correction",
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.RunSQL(SEEN, migrations.RunSQL.noop),
    ]
