"""The judges API, below /api/v1/. A slash at the end is optional."""

from __future__ import annotations

from django.urls import re_path

from evals.judges.api import views
from workbench.core.patterns import UUID

app_name = "judges-api"
_ONE = rf"^judges/(?P<judge_id>{UUID})"
urlpatterns = [
    re_path(r"^judges/?$", views.judges, name="judges"),
    re_path(_ONE + r"/?$", views.judge, name="judge"),
    re_path(_ONE + r"/versions/?$", views.versions, name="versions"),
]
