"""Every URL of the product that Django serves (the hot paths are in asgi.py)."""

from __future__ import annotations

from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularJSONAPIView

from workbench.core.patterns import UUID
from workbench.shell.api import job

PROJECT = "p/<slug:project>/"

urlpatterns = [
    path("", include("workbench.core.urls")),
    path("", include("workbench.shell.urls")),
    path(PROJECT, include("requests_log.urls")),
    path(PROJECT, include("requests_log.datasets.urls")),
    path(PROJECT, include("requests_log.review.urls")),
    path(PROJECT, include("requests_log.redaction.urls")),
    path(PROJECT, include("prompts.urls")),
    path(PROJECT, include("evals.judges.urls")),
    path(PROJECT, include("evals.calibration.urls")),
    path(PROJECT, include("evals.pairwise.urls")),
    path(PROJECT, include("evals.urls")),
    path(PROJECT, include("evals.online.urls")),
    path(PROJECT, include("evals.human.urls")),
    path(PROJECT, include("evals.pipelines.urls")),
    path(PROJECT, include("evals.documents.urls")),
    path(PROJECT, include("finetunes.urls")),
    path(PROJECT, include("workbench.providers.urls")),
    path("api/schema/", SpectacularJSONAPIView.as_view(), name="schema"),
    re_path(rf"^api/v1/jobs/(?P<job_id>{UUID})/?$", job, name="job"),
    path("api/v1/", include("requests_log.api.urls")),
    path("api/v1/", include("requests_log.datasets.api.urls")),
    path("api/v1/", include("requests_log.review.api.urls")),
    path("api/v1/", include("requests_log.redaction.api.urls")),
    path("api/v1/", include("prompts.api.urls")),
    path("api/v1/", include("evals.judges.api.urls")),
    path("api/v1/", include("evals.calibration.api.urls")),
    path("api/v1/", include("evals.pairwise.api.urls")),
    path("api/v1/", include("evals.api.urls")),
    path("api/v1/", include("evals.online.api.urls")),
    path("api/v1/", include("evals.pipelines.api.urls")),
    path("api/v1/", include("evals.human.api.urls")),
    path("api/v1/", include("evals.documents.api.urls")),
    path("api/v1/", include("finetunes.api.urls")),
    path("api/v1/", include("workbench.providers.api_urls")),
    path("api/v1/", include("workbench.shell.starting.api_urls")),
    path("api/v1/", include("workbench.gateway.urls")),
]

handler400 = "workbench.shell.views.bad_request"
handler403 = "workbench.shell.views.forbidden"
handler404 = "workbench.shell.views.not_found"
handler500 = "workbench.shell.views.server_error"
