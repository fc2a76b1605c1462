"""Numbers of deleted versions are not given again; what was done before a freeze is frozen, too."""

from __future__ import annotations

from django.db import migrations, models

COUNT = """
UPDATE datasets_dataset d SET versions_made = v.last
FROM (SELECT dataset_id, max(number) AS last FROM datasets_datasetversion GROUP BY dataset_id) v
WHERE v.dataset_id = d.id
"""
_TRIGGER = """
DROP TRIGGER version_is_frozen ON datasets_datasetversion;
CREATE TRIGGER version_is_frozen
    BEFORE UPDATE OF id, dataset_id, number, content_hash, train_rows, heldout_rows,
        heldout_percent, created_at{more} ON datasets_datasetversion
    FOR EACH ROW EXECUTE FUNCTION datasets_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("datasets", "0004_imports_and_edits")]
    operations = [
        migrations.AddField(
            model_name="dataset",
            name="versions_made",
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="fixedexample", name="edits", field=models.JSONField(default=list)
        ),
        migrations.RunSQL(COUNT, migrations.RunSQL.noop),
        migrations.RunSQL(
            _TRIGGER.format(more=", transforms, filter_text"), _TRIGGER.format(more="")
        ),
    ]
