"""The comparisons API, below /api/v1/. A slash at the end is optional."""

from __future__ import annotations

from django.urls import re_path

from evals.api import views
from workbench.core.patterns import UUID

app_name = "evals-api"
urlpatterns = [
    re_path(r"^graders/?$", views.graders, name="graders"),
    re_path(r"^comparisons/?$", views.comparisons, name="comparisons"),
    re_path(rf"^comparisons/(?P<comparison_id>{UUID})/?$", views.comparison, name="comparison"),
    re_path(rf"^comparisons/(?P<comparison_id>{UUID})/resume/?$", views.resume, name="resume"),
]
