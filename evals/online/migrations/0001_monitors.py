"""Monitors of live traffic."""

from __future__ import annotations

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import workbench.core.ids


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("core", "0004_scope_of_prompts"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Monitor",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=workbench.core.ids.uuid7,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("name", models.CharField(max_length=120)),
                ("score_name", models.CharField(max_length=100)),
                ("query", models.TextField(blank=True, default="")),
                ("sample_percent", models.FloatField(default=10)),
                ("most_per_run", models.PositiveIntegerField(default=200)),
                ("every_minutes", models.PositiveIntegerField(default=15)),
                ("grader", models.CharField(max_length=20)),
                ("grader_settings", models.JSONField(default=dict)),
                ("window", models.PositiveIntegerField(default=100)),
                ("alert_below", models.FloatField(blank=True, null=True)),
                ("alert_drop", models.FloatField(blank=True, null=True)),
                ("is_on", models.BooleanField(default=True)),
                ("next_at", models.DateTimeField()),
                ("looked_until", models.DateTimeField()),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "job",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="core.job",
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="monitors",
                        to="core.project",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Measurement",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("since", models.DateTimeField()),
                ("until", models.DateTimeField()),
                ("calls", models.PositiveIntegerField()),
                ("errors", models.PositiveIntegerField()),
                ("p95_ms", models.FloatField(null=True)),
                ("counts", models.JSONField(default=dict)),
                ("ungraded", models.PositiveIntegerField(default=0)),
                (
                    "monitor",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="measurements",
                        to="online.monitor",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Alert",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=workbench.core.ids.uuid7,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("below", "Too low"), ("drop", "Fell")], max_length=10
                    ),
                ),
                ("sentence", models.CharField(max_length=300)),
                ("opened_at", models.DateTimeField()),
                ("closed_at", models.DateTimeField(null=True)),
                (
                    "monitor",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="alerts",
                        to="online.monitor",
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="monitor",
            index=models.Index(
                models.F("next_at"), condition=models.Q(("is_on", True)), name="monitor_by_next"
            ),
        ),
        migrations.AddConstraint(
            model_name="monitor",
            constraint=models.UniqueConstraint(
                models.F("project"), models.F("score_name"), name="monitor_score_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="monitor",
            constraint=models.CheckConstraint(
                condition=models.Q(("name", ""), _negated=True), name="monitor_has_a_name"
            ),
        ),
        migrations.AddConstraint(
            model_name="monitor",
            constraint=models.CheckConstraint(
                condition=models.Q(("sample_percent__gt", 0), ("sample_percent__lte", 100)),
                name="monitor_samples_a_share",
            ),
        ),
        migrations.AddConstraint(
            model_name="monitor",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("every_minutes__gt", 0), ("most_per_run__gt", 0), ("window__gt", 1)
                ),
                name="monitor_does_something",
            ),
        ),
        migrations.AddConstraint(
            model_name="monitor",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("alert_below", None),
                    models.Q(("alert_below__gt", 0), ("alert_below__lte", 1)),
                    _connector="OR",
                ),
                name="monitor_alert_below_is_a_mean",
            ),
        ),
        migrations.AddConstraint(
            model_name="monitor",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("alert_drop", None),
                    models.Q(("alert_drop__gt", 0), ("alert_drop__lte", 1)),
                    _connector="OR",
                ),
                name="monitor_alert_drop_is_a_fall",
            ),
        ),
        migrations.AddConstraint(
            model_name="measurement",
            constraint=models.UniqueConstraint(
                models.F("monitor"), models.F("until"), name="measurement_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="measurement",
            constraint=models.CheckConstraint(
                condition=models.Q(("since__lt", models.F("until"))), name="measurement_takes_time"
            ),
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.UniqueConstraint(
                models.F("monitor"),
                models.F("kind"),
                condition=models.Q(("closed_at", None)),
                name="alert_open_once",
            ),
        ),
    ]
