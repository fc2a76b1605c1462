"""Tags leave the facts, which nobody changes, for a table that changing them writes little of.

What is there is carried over week by week; the indexes are built behind the rows. Nothing can be
logged meanwhile; two million calls took three seconds.
"""

from __future__ import annotations

from typing import Any

import django.db.models.deletion
from django.db import migrations, models
from psycopg import sql

import requests_log.models

TABLE = """
SET LOCAL lock_timeout = '5s';
LOCK TABLE requests_log_request IN ACCESS EXCLUSIVE MODE;
DROP VIEW requests_log_logged;
CREATE TABLE requests_log_tags (
    project_id bigint NOT NULL,
    id uuid NOT NULL,
    tags jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(tags) = 'object')
) PARTITION BY RANGE (id);
"""
WEEKS = """
SELECT c.relname, pg_get_expr(c.relpartbound, c.oid)
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'requests_log_request'::regclass ORDER BY c.relname
"""
INDEXES = """
ALTER TABLE requests_log_request DROP COLUMN tags;
ALTER TABLE requests_log_tags ADD PRIMARY KEY (project_id, id);
CREATE INDEX request_by_tags ON requests_log_tags USING gin (tags);
ANALYZE requests_log_tags;
"""
BACK = """
SET LOCAL lock_timeout = '5s';
LOCK TABLE requests_log_request IN ACCESS EXCLUSIVE MODE;
DROP VIEW requests_log_logged;
ALTER TABLE requests_log_request
    ADD COLUMN tags jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(tags) = 'object');
UPDATE requests_log_request r SET tags = t.tags
FROM requests_log_tags t
WHERE t.project_id = r.project_id AND t.id = r.id AND t.tags <> '{}';
DROP TABLE requests_log_tags;
CREATE INDEX request_by_tags ON requests_log_request USING gin (tags);
"""
# Outer joins, so that Postgres looks at nothing that is not asked for; asked for a tag, it makes
# the join an inner one and may begin with the index of the tags.
VIEW = """
CREATE VIEW requests_log_logged AS
SELECT r.*, {tags}
       d.digested_at, d.input_tokens, d.output_tokens, d.cached_tokens, d.reasoning_tokens,
       d.digest_version, d.search_cut, d.cost, d.model_used, d.finish_reason, d.input_preview,
       d.output_preview, d.tools, d.parameters, d.variables, d.search
FROM requests_log_request r
{join}
LEFT JOIN requests_log_digest d ON d.project_id = r.project_id AND d.id = r.id;
"""
JOIN = "LEFT JOIN requests_log_tags t ON t.project_id = r.project_id AND t.id = r.id"


def carry_over(apps: Any, schema_editor: Any) -> None:
    """The tags of every week, and of the net, into a week of the new table."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(WEEKS)
        for name, bounds in cursor.fetchall():
            week = name.replace("requests_log_request", "requests_log_tags")
            cursor.execute(
                sql.SQL(
                    "CREATE TABLE {week} PARTITION OF requests_log_tags {bounds}; "
                    "INSERT INTO {week} SELECT project_id, id, tags FROM {facts}"
                ).format(
                    week=sql.Identifier(week),
                    bounds=sql.SQL(bounds),
                    facts=sql.Identifier(name),
                )
            )


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0003_job_key_once_without_project"),
        ("requests_log", "0015_few_of_many"),
    ]
    operations = [
        migrations.RunSQL(TABLE, VIEW.format(tags="", join="")),
        migrations.RunPython(carry_over, migrations.RunPython.noop),
        migrations.RunSQL(INDEXES + VIEW.format(tags="t.tags,", join=JOIN), BACK),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RemoveField(model_name="requestrow", name="tags"),
                migrations.AlterField(
                    model_name="loggedrequest",
                    name="tags",
                    field=requests_log.models.TagsOrNone(null=True),
                ),
                migrations.CreateModel(
                    name="RequestTags",
                    fields=[
                        ("id", models.UUIDField(primary_key=True, serialize=False)),
                        ("tags", models.JSONField(default=dict)),
                        (
                            "project",
                            models.ForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="core.project",
                            ),
                        ),
                    ],
                    options={"db_table": "requests_log_tags"},
                ),
            ]
        ),
    ]
