"""Keeping raters blind: who judges a comparison's answers does not see whose they are meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render

from evals.human.models import Study
from evals.human.raters import may_rate
from workbench.core.access import ProjectRequest
from workbench.core.models import User


def blinding_study(comparison_id: UUID, user: User) -> Study | None:
    """An open study about the comparison's answers in which the person is a rater."""
    open_ = Study.objects.filter(comparison=comparison_id, finished_at=None).order_by("pk")
    return next((study for study in open_ if may_rate(study, user)), None)


def unless_blind(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Show a page of a comparison only to those who do not rate it blind; the others are told why,
    and how they can see it."""

    @wraps(view)
    def guarded(request: ProjectRequest, comparison_id: UUID, **kwargs: Any) -> HttpResponse:
        study = blinding_study(comparison_id, request.user)
        if study is None or study.project_id != request.project.pk:
            return view(request, comparison_id, **kwargs)
        context: dict[str, Any] = {"study": study, "comparison_id": comparison_id}
        return render(request, "human/blind.html", context, status=403)

    return guarded
