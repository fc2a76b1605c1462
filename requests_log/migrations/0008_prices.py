"""Prices that people set, dated, over the list that comes with the product."""

from __future__ import annotations

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0003_job_key_once_without_project"),
        ("requests_log", "0007_imports"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Price",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("provider", models.TextField()),
                ("model", models.TextField()),
                ("valid_from", models.DateTimeField()),
                ("input", models.DecimalField(decimal_places=6, max_digits=14)),
                ("cached", models.DecimalField(decimal_places=6, max_digits=14)),
                ("output", models.DecimalField(decimal_places=6, max_digits=14)),
                (
                    "set_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                (
                    "project",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="core.project",
                    ),
                ),
                (
                    "set_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "db_table": "requests_log_price",
                "constraints": [
                    models.UniqueConstraint(
                        models.F("project"),
                        models.F("provider"),
                        models.F("model"),
                        models.F("valid_from"),
                        name="price_once_a_moment",
                        nulls_distinct=False,
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("cached__gte", 0), ("input__gte", 0), ("output__gte", 0)
                        ),
                        name="price_not_negative",
                    ),
                ],
            },
        ),
    ]
