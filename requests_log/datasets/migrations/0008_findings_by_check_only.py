"""Findings are found by run and check: an index by run alone only led plans astray."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("datasets", "0007_corrections_seen")]
    operations = [
        migrations.AlterField(
            model_name="finding",
            name="run",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="findings",
                to="datasets.hygienerun",
            ),
        ),
    ]
