"""The playground of a project."""

from __future__ import annotations

from django.urls import path

from workbench.shell.playground import views

urlpatterns = [
    path("p/<slug:project>/playground/", views.page, name="playground"),
    path("p/<slug:project>/playground/complete/", views.complete, name="playground-complete"),
]
