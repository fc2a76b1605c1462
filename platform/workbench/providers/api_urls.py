"""The API of connections, below /api/v1/. A slash at the end is optional."""

from __future__ import annotations

from django.urls import re_path

from workbench.core.patterns import UUID
from workbench.providers import api

app_name = "providers-api"
ONE = rf"^connections/(?P<connection_id>{UUID})"
urlpatterns = [
    re_path(r"^connections/?$", api.connections, name="connections"),
    re_path(rf"{ONE}/?$", api.connection, name="connection"),
    re_path(rf"{ONE}/check/?$", api.check, name="check-connection"),
]
