"""The pages of redaction, below /p/<project>/."""

from __future__ import annotations

from django.urls import path

from requests_log.redaction import views

app_name = "redaction"
BASE = "settings/redaction/"
urlpatterns = [
    path(BASE, views.page, name="policy"),
    path(f"{BASE}save/", views.save, name="save"),
    path(f"{BASE}preview/", views.preview, name="preview"),
    path(f"{BASE}versions/<int:number>/", views.version, name="version"),
]
