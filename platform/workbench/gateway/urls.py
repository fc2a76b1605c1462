"""The keys API."""

from __future__ import annotations

from django.urls import path

from workbench.gateway import api

app_name = "gateway-api"
urlpatterns = [
    path("keys/", api.keys, name="keys"),
    path("keys/<int:key_id>/budget/", api.key_budget, name="key-budget"),
]
