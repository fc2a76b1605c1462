"""How much our own jobs may ask of a connection."""

from __future__ import annotations

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("providers", "0003_hub_connections")]
    operations = [
        *(
            migrations.AddField(
                "connection", name, models.PositiveIntegerField(null=True, blank=True)
            )
            for name in ("requests_per_minute", "tokens_per_minute", "at_once")
        ),
        migrations.AddConstraint(
            "connection",
            models.CheckConstraint(
                condition=(Q(requests_per_minute__isnull=True) | Q(requests_per_minute__gte=1))
                & (Q(tokens_per_minute__isnull=True) | Q(tokens_per_minute__gte=1))
                & (Q(at_once__isnull=True) | Q(at_once__gte=1)),
                name="connection_limits_positive",
            ),
        ),
    ]
