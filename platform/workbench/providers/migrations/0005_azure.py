"""A connection may be one to Azure, whose API has its version in the query."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("providers", "0004_limits")]
    operations = [
        migrations.AddField(
            "connection", "api_version", models.CharField(max_length=40, blank=True, default="")
        ),
        migrations.AlterField(
            "connection",
            "kind",
            models.CharField(
                choices=[
                    ("openai-compatible", "OpenAI-compatible"),
                    ("anthropic", "Anthropic"),
                    ("azure", "Azure OpenAI"),
                    ("hugging-face", "Hugging Face Hub"),
                ],
                default="openai-compatible",
                max_length=20,
            ),
        ),
    ]
