"""A pair that somebody changed is told to be edited, and not checked since."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("documents", "0002_pairs")]
    operations = [
        migrations.AlterField(
            model_name="pair",
            name="verdict",
            field=models.CharField(
                choices=[
                    ("supported", "Supported"),
                    ("unsupported", "Not supported"),
                    ("unjudged", "Not judged"),
                    ("unchecked", "Not checked"),
                    ("edited", "Edited, not checked"),
                ],
                max_length=12,
            ),
        ),
    ]
