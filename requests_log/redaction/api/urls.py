"""The redaction API."""

from __future__ import annotations

from django.urls import path

from requests_log.redaction.api import views

app_name = "redaction-api"
urlpatterns = [
    path("redaction/", views.redaction, name="redaction"),
    path("redaction/versions/", views.versions, name="versions"),
    path("redaction/versions/<int:number>/", views.version, name="version"),
    path("redaction/detectors/", views.detectors, name="detectors"),
    path("redaction/preview/", views.preview, name="preview"),
]
