"""Judges of two over HTTP, below /api/v1/. A slash at the end is optional."""

from __future__ import annotations

from django.urls import re_path

from evals.pairwise.api import views
from workbench.core.patterns import UUID

app_name = "pairwise-api"
urlpatterns = [
    re_path(rf"^comparisons/(?P<comparison_id>{UUID})/pairs/?$", views.pairs, name="pairs"),
]
