"""The calibrations API, below /api/v1/. A slash at the end is optional."""

from __future__ import annotations

from django.urls import re_path

from evals.calibration.api import views
from workbench.core.patterns import UUID

app_name = "calibration-api"
_ONE = rf"^calibrations/(?P<calibration_id>{UUID})"
urlpatterns = [
    re_path(
        rf"^judges/(?P<judge_id>{UUID})/calibrations/?$", views.calibrations, name="calibrations"
    ),
    re_path(_ONE + r"/?$", views.calibration, name="calibration"),
    re_path(_ONE + r"/items/?$", views.items, name="items"),
    re_path(_ONE + r"/labels/?$", views.labels, name="labels"),
    re_path(_ONE + r"/ask/?$", views.ask, name="ask"),
]
