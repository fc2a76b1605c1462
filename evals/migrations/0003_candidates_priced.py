"""Candidates know whose prices hold for them."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("evals", "0002_graders"),
    ]

    operations = [
        migrations.AddField(
            model_name="candidate",
            name="model",
            field=models.CharField(blank=True, db_default="", default="", max_length=300),
        ),
        migrations.AddField(
            model_name="candidate",
            name="provider",
            field=models.CharField(blank=True, db_default="", default="", max_length=300),
        ),
    ]
