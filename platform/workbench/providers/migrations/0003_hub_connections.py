"""A connection may be one to the Hugging Face Hub."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("providers", "0002_gateway_settings")]
    operations = [
        migrations.AlterField(
            "connection",
            "kind",
            models.CharField(
                choices=[
                    ("openai-compatible", "OpenAI-compatible"),
                    ("anthropic", "Anthropic"),
                    ("hugging-face", "Hugging Face Hub"),
                ],
                default="openai-compatible",
                max_length=20,
            ),
        )
    ]
