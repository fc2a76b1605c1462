"""An index that finds the calls of a cost."""

from __future__ import annotations

from django.db import migrations

INDEX = """
CREATE INDEX digest_by_cost ON requests_log_digest (project_id, cost, id) WHERE cost IS NOT NULL;
"""


class Migration(migrations.Migration):
    dependencies = [("requests_log", "0014_similar_requests")]
    operations = [migrations.RunSQL(INDEX, "DROP INDEX digest_by_cost;")]
