"""The pages of monitors, below /p/<project>/."""

from __future__ import annotations

from django.urls import path

from evals.online import views

app_name = "online"
ONE = "evals/monitors/<uuid:monitor_id>/"
urlpatterns = [
    path("evals/monitors/", views.monitor_list, name="list"),
    path("evals/monitors/new/", views.new_monitor, name="new"),
    path("evals/monitors/new/grader/", views.grader_settings, name="grader"),
    path(ONE, views.monitor_page, name="monitor"),
    path(f"{ONE}edit/", views.edit_monitor, name="edit"),
    path(f"{ONE}run/", views.monitor_run, name="run"),
    path(f"{ONE}delete/", views.monitor_delete, name="delete"),
]
