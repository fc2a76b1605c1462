"""Candidates ask through a prompt of the registry, and after worked examples."""

from __future__ import annotations

from django.db import migrations, models
from django.db.models import Q

import prompts.models


class Migration(migrations.Migration):
    dependencies = [("evals", "0004_judged")]

    operations = [
        migrations.AddField(
            "candidate",
            "prompt",
            models.CharField(blank=True, default="", db_default="", max_length=300),
        ),
        migrations.AddField("candidate", "prompt_content", prompts.models.AsWritten(null=True)),
        migrations.AddField(
            "candidate", "few_shot", models.PositiveSmallIntegerField(default=0, db_default=0)
        ),
        migrations.AddConstraint(
            "candidate",
            models.CheckConstraint(
                condition=Q(prompt="", prompt_content__isnull=True)
                | (~Q(prompt="") & Q(prompt_content__isnull=False)),
                name="candidate_has_the_prompt_it_names",
            ),
        ),
    ]
