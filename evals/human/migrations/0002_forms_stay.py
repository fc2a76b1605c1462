"""A trigger that keeps a version of a rating form as raters saw it."""

from __future__ import annotations

from django.db import migrations

GUARD = """
CREATE FUNCTION human_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'A version of a rating form cannot change; save a new version.'
        USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TRIGGER rating_form_version_stays
    BEFORE UPDATE OF id, form_id, number, fields, created_at ON human_ratingformversion
    FOR EACH ROW EXECUTE FUNCTION human_refuse_change();
"""
UNGUARD = """
DROP TRIGGER rating_form_version_stays ON human_ratingformversion;
DROP FUNCTION human_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("human", "0001_studies")]
    operations = [migrations.RunSQL(GUARD, UNGUARD)]
