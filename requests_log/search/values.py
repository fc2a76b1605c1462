"""Values seen in the log, for completion: among the latest requests, the commonest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import connection

from requests_log.models import LoggedRequest, LoggedScore
from workbench.core.models import Project

WINDOW = 5_000
"""Requests (or scores) looked at: the latest ones."""
MAX_OFFERS = 12

# What may be asked for, as SQL over the latest rows; nothing else gets into a statement.
_OF_REQUESTS = {
    "prompt": "prompt_name || coalesce('@' || prompt_version, '')",
    "tag names": "jsonb_object_keys(tags)",
    "tag": "tags ->> %s",
}
_OF_SCORES = {
    "score names": "name",
    "score": "CASE WHEN name = %s THEN label END",
}
_COLUMNS = {
    "prompt": ("prompt_name", "prompt_version"),
    "tag names": ("tags",),
    "tag": ("tags",),
    "score names": ("name",),
    "score": ("name", "label"),
}
_COUNTED = """
WITH latest AS MATERIALIZED ({latest}), found AS (SELECT {value} AS value FROM latest)
SELECT value, count(*) FROM found
WHERE value <> '' AND strpos(lower(value), lower(%s)) > 0
GROUP BY value
ORDER BY NOT starts_with(lower(value), lower(%s)), count(*) DESC, value
LIMIT {limit}
"""


@dataclass(frozen=True)
class Seen:
    """A value, and how many of the latest requests (or scores) have it."""

    value: str
    count: int


def seen(project: Project, what: str, typed: str = "", *, key: str = "") -> list[Seen]:
    """The commonest values that hold what was typed, those that begin with it first.

    `what` is a column of a logged request, or one of `prompt`, `tag`, `tag names`, `score` and
    `score names`; `tag` and `score` need the `key`.
    """
    expression = (_OF_REQUESTS | _OF_SCORES).get(what) or _column(what)
    latest, parameters = _latest(project, what)
    sql = _COUNTED.format(latest=latest, value=expression, limit=MAX_OFFERS)
    keys = [key] if "%s" in expression else []
    with connection.cursor() as cursor:
        cursor.execute(sql, [*parameters, *keys, typed, typed])
        return [Seen(value, many) for value, many in cursor.fetchall()]


def _latest(project: Project, what: str) -> tuple[str, tuple[Any, ...]]:
    columns = _COLUMNS.get(what) or (what,)
    if what in _OF_SCORES:
        scores = LoggedScore.objects.in_project(project).order_by("-id")
        sql, parameters = scores.values(*columns)[:WINDOW].query.sql_with_params()
    else:
        requests = LoggedRequest.objects.in_project(project).order_by("-id")
        sql, parameters = requests.values(*columns)[:WINDOW].query.sql_with_params()
    return str(sql), tuple(parameters)


def _column(name: str) -> str:
    """A text column's name as SQL.

    Raises:
        django.core.exceptions.FieldDoesNotExist: there is none.
    """
    return f'"{LoggedRequest._meta.get_field(name).name}"'
