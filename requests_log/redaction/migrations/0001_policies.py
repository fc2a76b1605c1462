"""Versions of redaction policies, which never change, and counts of what was withheld."""

from __future__ import annotations

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

NEVER_CHANGED = """
CREATE FUNCTION redaction_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'A version of a redaction policy cannot change; save a new one.'
        USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER redaction_version_stays
    BEFORE UPDATE OF id, project_id, number, enabled, document, note, created_at
    ON redaction_policyversion
    FOR EACH ROW EXECUTE FUNCTION redaction_refuse_change();
"""
AGAIN_CHANGED = """
DROP TRIGGER redaction_version_stays ON redaction_policyversion;
DROP FUNCTION redaction_refuse_change();
"""


def _project() -> models.ForeignKey[object, object]:
    return models.ForeignKey(
        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="core.project"
    )


class Migration(migrations.Migration):
    initial = True
    dependencies = [
        ("core", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.CreateModel(
            name="PolicyVersion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                ("enabled", models.BooleanField()),
                ("document", models.JSONField()),
                ("note", models.CharField(blank=True, default="", max_length=300)),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                (
                    "author",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("project", _project()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint("project", "number", name="redaction_version_once"),
                    models.CheckConstraint(
                        condition=models.Q(number__gt=0), name="redaction_version_from_one"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Withheld",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("day", models.DateField()),
                ("reason", models.CharField(max_length=200)),
                ("count", models.PositiveBigIntegerField(default=0)),
                ("project", _project()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        "project", "day", "reason", name="redaction_withheld_once"
                    )
                ],
            },
        ),
        migrations.RunSQL(NEVER_CHANGED, AGAIN_CHANGED),
    ]
