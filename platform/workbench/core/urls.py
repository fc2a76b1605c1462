"""Signing in and out, first-run set-up."""

from __future__ import annotations

from django.urls import path

from workbench.core import views

app_name = "core"
urlpatterns = [
    path("setup/", views.setup, name="setup"),
    path("sign-in/", views.sign_in, name="sign-in"),
    path("sign-out/", views.sign_out, name="sign-out"),
]
