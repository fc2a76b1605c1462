"""The backend class Django looks for; see the package's docstring."""

from __future__ import annotations

from typing import Any

import psycopg
from django.conf import settings
from django.db.backends.postgresql import base

from workbench import embedded


class DatabaseWrapper(base.DatabaseWrapper):
    """Ordinary Postgres, but for the moment before a connection is opened."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        server = embedded.server(settings.EMBEDDED_DATABASE_DIR)
        server.ensure_running()
        try:
            return super().get_new_connection(conn_params)
        except psycopg.OperationalError:
            server.recover()  # it may have died since this process first used it
            return super().get_new_connection(conn_params)
