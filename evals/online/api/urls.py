"""The monitors API, below /api/v1/. A slash at the end is optional."""

from __future__ import annotations

from django.urls import re_path

from evals.online.api import views
from workbench.core.patterns import UUID

app_name = "online-api"
urlpatterns = [
    re_path(r"^monitors/?$", views.monitors, name="monitors"),
    re_path(rf"^monitors/(?P<monitor_id>{UUID})/?$", views.monitor, name="monitor"),
    re_path(r"^alerts/?$", views.alerts, name="alerts"),
]
