"""What reads of every table of the log have in common."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Self, TypeVar

from django.db import connection, models, transaction

from workbench.core.models import Project

M = TypeVar("M", bound=models.Model)

_PLANNED = """
SELECT set_config('jit', 'off', true), set_config('enable_partitionwise_join', 'on', true),
       set_config('max_parallel_workers_per_gather', '0', true),
       set_config('enable_seqscan', 'off', true)
"""


@contextmanager
def planned() -> Iterator[None]:
    """Reads of the log inside are planned week by week, and not compiled.

    Joined week by week, requests and digests are each read by the index that suits the week;
    otherwise Postgres goes through all weeks in order of time as soon as there is a LIMIT.
    Compiling (JIT) and starting helpers takes longer than these statements run. No page is worth
    going through a week from end to end, though a LIMIT makes that look cheap.
    """
    with nullcontext() if connection.in_atomic_block else transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_PLANNED)
        yield


class InProjectQuerySet(models.QuerySet[M]):
    """Every read of a logged request starts with its project."""

    def in_project(self, project: Project) -> Self:
        return self.filter(project_id=project.pk)


class TracedQuerySet(InProjectQuerySet[M]):
    """Rows with a time-ordered id that may belong to a trace."""

    def newest_first(self) -> Self:
        """By id, which is by time; page with `workbench.core.paging.page_of`."""
        return self.order_by("-id")

    def in_trace(self, trace_id: str) -> Self:
        return self.filter(trace_id=trace_id)
