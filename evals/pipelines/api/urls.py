"""The pipelines API, below /api/v1/. A slash at the end is optional."""

from __future__ import annotations

from django.urls import re_path

from evals.pipelines.api import people, runs, views
from workbench.core.patterns import UUID

app_name = "pipelines-api"
_ONE = rf"^pipelines/(?P<pipeline_id>{UUID})"
_RUN = rf"^pipeline-runs/(?P<run_id>{UUID})"
urlpatterns = [
    re_path(r"^pipeline-steps/?$", views.step_kinds, name="step-kinds"),
    re_path(r"^pipelines/?$", views.pipelines, name="pipelines"),
    re_path(_ONE + r"/?$", views.pipeline, name="pipeline"),
    re_path(_ONE + r"/validate/?$", views.validate, name="validate"),
    re_path(_ONE + r"/dry-run/?$", views.dry_run, name="dry-run"),
    re_path(_ONE + r"/runs/?$", runs.runs, name="runs"),
    re_path(_RUN + r"/?$", runs.run, name="run"),
    re_path(_RUN + r"/cancel/?$", runs.cancel, name="cancel"),
    re_path(_RUN + r"/resume/?$", runs.resume, name="resume"),
    re_path(_RUN + r"/results/?$", runs.results, name="results"),
    re_path(_RUN + r"/people/?$", people.tasks, name="people"),
    re_path(_RUN + r"/people/(?P<number>[0-9]{1,18})/?$", people.decision, name="decision"),
    re_path(_RUN + r"/rows/?$", runs.rows, name="rows"),
    re_path(
        _RUN + r"/cells/(?P<position>[0-9]{1,9})/(?P<step>[0-9]{1,2})/?$", runs.cell, name="cell"
    ),
]
