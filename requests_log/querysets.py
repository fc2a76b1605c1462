"""What reads of every table of the log have in common."""

from __future__ import annotations

from typing import Self, TypeVar

from django.db import models

from workbench.core.models import Project

M = TypeVar("M", bound=models.Model)


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
