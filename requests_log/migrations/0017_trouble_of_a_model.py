"""An index that finds the failed calls of a model, which people look for when something broke."""

from __future__ import annotations

from django.db import migrations

INDEX = """
CREATE INDEX request_by_trouble_of_model ON requests_log_request (project_id, model, status, id)
    WHERE status <> 'ok';
"""


class Migration(migrations.Migration):
    dependencies = [("requests_log", "0016_tags_in_a_table_of_their_own")]
    operations = [migrations.RunSQL(INDEX, "DROP INDEX request_by_trouble_of_model;")]
