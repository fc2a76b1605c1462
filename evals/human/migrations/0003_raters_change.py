"""Raters may change and step back; finished studies can be put away."""

from __future__ import annotations

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("human", "0002_forms_stay"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField("study", "archived_at", models.DateTimeField(null=True)),
        migrations.AddField(
            "study",
            "stepped_back",
            models.ManyToManyField(related_name="+", to=settings.AUTH_USER_MODEL),
        ),
    ]
