"""The starting points API, below /api/v1/. A slash at the end is optional."""

from __future__ import annotations

from django.urls import re_path

from workbench.shell.starting import api

app_name = "starting-api"
urlpatterns = [
    re_path(r"^starting-points/?$", api.starting_points, name="starting-points"),
    re_path(r"^starting-points/(?P<name>[a-z-]+)/?$", api.starting_point, name="starting-point"),
]
