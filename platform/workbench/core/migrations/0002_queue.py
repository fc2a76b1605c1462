"""The tables of the message queue that lives in the same Postgres."""

from __future__ import annotations

from typing import Any

from django.db import migrations
from dramatiq_postgres import schema


def make_queue(apps: Any, schema_editor: Any) -> None:
    with schema_editor.connection.cursor() as cursor:
        schema.init(cursor)


class Migration(migrations.Migration):
    dependencies = [("core", "0001_initial")]
    operations = [migrations.RunPython(make_queue, migrations.RunPython.noop)]
