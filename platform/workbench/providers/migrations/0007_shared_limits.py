"""What processes take of limits they share."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("providers", "0006_batches"),
    ]

    operations = [
        migrations.CreateModel(
            name="Caller",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("account", models.CharField(max_length=64)),
                ("holder", models.CharField(max_length=36)),
                ("slots", models.PositiveIntegerField()),
                ("seen_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        models.F("account"), models.F("holder"), name="caller_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Grant",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("account", models.CharField(max_length=64)),
                ("granted_at", models.DateTimeField()),
                ("requests", models.FloatField()),
                ("tokens", models.FloatField()),
            ],
            options={
                "indexes": [
                    models.Index(fields=["account", "granted_at"], name="grants_of_account")
                ],
            },
        ),
    ]
