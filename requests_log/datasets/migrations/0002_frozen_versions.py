"""Triggers that keep a frozen version as it was: no change, no row more, no row less."""

from __future__ import annotations

from django.db import migrations

# Whole versions may go (with their dataset or project); one row of a version that stays may not.
FREEZE = """
CREATE FUNCTION datasets_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'A frozen dataset version cannot change; freeze a new version.'
        USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE FUNCTION datasets_refuse_more_rows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM (SELECT version_id, max(position) AS last FROM added GROUP BY version_id) a
        JOIN datasets_datasetversion v ON v.id = a.version_id
        WHERE a.last >= v.train_rows + v.heldout_rows
    ) THEN
        RAISE EXCEPTION 'A frozen dataset version takes no more rows; freeze a new version.'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION datasets_refuse_fewer_rows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM datasets_datasetversion WHERE id = OLD.version_id) THEN
        RAISE EXCEPTION 'A frozen dataset version keeps its rows; delete the whole version.'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER version_is_frozen
    BEFORE UPDATE OF id, dataset_id, number, content_hash, train_rows, heldout_rows,
        heldout_percent, created_at ON datasets_datasetversion
    FOR EACH ROW EXECUTE FUNCTION datasets_refuse_change();
CREATE TRIGGER version_rows_are_frozen
    BEFORE UPDATE ON datasets_versionrow
    FOR EACH STATEMENT EXECUTE FUNCTION datasets_refuse_change();
CREATE TRIGGER version_takes_no_more_rows
    AFTER INSERT ON datasets_versionrow REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION datasets_refuse_more_rows();
CREATE CONSTRAINT TRIGGER version_keeps_its_rows
    AFTER DELETE ON datasets_versionrow DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION datasets_refuse_fewer_rows();
CREATE TRIGGER content_is_frozen
    BEFORE UPDATE ON datasets_content
    FOR EACH STATEMENT EXECUTE FUNCTION datasets_refuse_change();
"""

THAW = """
DROP TRIGGER version_is_frozen ON datasets_datasetversion;
DROP TRIGGER version_rows_are_frozen ON datasets_versionrow;
DROP TRIGGER version_takes_no_more_rows ON datasets_versionrow;
DROP TRIGGER version_keeps_its_rows ON datasets_versionrow;
DROP TRIGGER content_is_frozen ON datasets_content;
DROP FUNCTION datasets_refuse_change();
DROP FUNCTION datasets_refuse_more_rows();
DROP FUNCTION datasets_refuse_fewer_rows();
"""


class Migration(migrations.Migration):
    dependencies = [("datasets", "0001_tables")]
    operations = [migrations.RunSQL(FREEZE, THAW)]
