"""Whether a connection's provider has a Batch API."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("providers", "0005_azure")]
    operations = [
        migrations.AddField("connection", "batches", models.BooleanField(default=False)),
    ]
