"""Finding requests whose question is nearly the same, by an index."""

from __future__ import annotations

from django.db import migrations

# See requests_log.similar: the expression must be the one asked for there.
NORMAL = r"""translate(lower(input_preview), '0123456789 .,;:!?-_''"()[]{}<>/\|@#$&*+=~^`', '')"""
INDEX = f"""
CREATE INDEX digest_by_question ON requests_log_digest
    (project_id, hashtextextended({NORMAL}, 0), id) WHERE input_preview IS NOT NULL;
"""


class Migration(migrations.Migration):
    dependencies = [("requests_log", "0013_saved_views")]
    operations = [migrations.RunSQL(INDEX, "DROP INDEX digest_by_question;")]
