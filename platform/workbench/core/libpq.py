"""How to reach Django's database without Django."""

from __future__ import annotations

from django.db import connection


def libpq_keywords() -> dict[str, str]:
    """libpq's keywords for Django's database; in tests, for the test database.

    Opens Django's own connection first, which starts the built-in server when that is the one in
    use. Options of DATABASE_URL, such as sslmode, are passed on.
    """
    connection.ensure_connection()
    values = connection.settings_dict
    pairs = {
        "dbname": values["NAME"],
        "user": values["USER"],
        "password": values["PASSWORD"],
        "host": values["HOST"],
        "port": values["PORT"],
        **values["OPTIONS"],
    }
    return {name: str(value) for name, value in pairs.items() if value}
