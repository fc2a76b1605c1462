"""Quarantined events are stored again or given up with a reason."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("requests_log", "0005_otlp_spans")]
    operations = [
        migrations.AddField("quarantined", "replays", models.IntegerField(db_default=0)),
        migrations.AddField("quarantined", "discarded_at", models.DateTimeField(null=True)),
        migrations.AddField("quarantined", "discarded_by", models.TextField(db_default="")),
        migrations.AddField("quarantined", "discard_reason", models.TextField(db_default="")),
    ]
