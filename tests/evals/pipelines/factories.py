"""Pipelines and runs with valid defaults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evals.pipelines.actions import Source, create_pipeline, start_run
from evals.pipelines.models import Pipeline, Run
from workbench.core.models import Job, Project
from workbench.core.queue import perform

TEACH: dict[str, Any] = {
    "name": "teacher",
    "kind": "prompt",
    "settings": {"model": "local/good", "template": "Question {{n}}?"},
}


def make_pipeline(
    project: Project, *steps: Mapping[str, Any], name: str = "Teach", **fields: Any
) -> Pipeline:
    """By default one step that asks the teacher “Question n?” about column n."""
    fields.setdefault("models_later", True)
    return create_pipeline(project, name=name, steps=list(steps) or [TEACH], by=None, **fields)


def step(kind: str, name: str, **settings: Any) -> dict[str, Any]:
    return {"name": name, "kind": kind, "settings": settings}


def numbered(many: int) -> list[dict[str, Any]]:
    """Rows with the columns n and answer."""
    return [{"n": n, "answer": f"Answer {n}"} for n in range(many)]


def make_run(
    pipeline: Pipeline, rows: Sequence[Mapping[str, Any]] | None = None, **fields: Any
) -> Run:
    source = fields.pop("source", None) or Source.of_rows(numbered(6) if rows is None else rows)
    return start_run(pipeline, source=source, by=None, **fields)


def perform_run(run: Run) -> Run:
    """Do it as the worker does."""
    assert run.job is not None
    job = Job.objects.get(pk=run.job.pk)
    perform(job.pk, holder="test")
    return Run.objects.select_related("job", "pipeline__project", "definition").get(pk=run.pk)
