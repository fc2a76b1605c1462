"""The pages of comparisons, below /p/<project>/."""

from __future__ import annotations

from django.urls import path

from evals import views

app_name = "evals"
ONE = "evals/<uuid:comparison_id>/"
urlpatterns = [
    path("evals/", views.comparison_list, name="list"),
    path("evals/new/", views.new_comparison, name="new"),
    path("evals/new/grader/", views.grader_settings, name="grader"),
    path(ONE, views.comparison_page, name="comparison"),
    path(f"{ONE}live/", views.comparison_live, name="live"),
    path(f"{ONE}rows/<int:position>/", views.comparison_row, name="row"),
    path(f"{ONE}slices/", views.comparison_slices, name="slices"),
    path(f"{ONE}report.html", views.comparison_export, {"form": "html"}, name="report"),
    path(f"{ONE}report.json", views.comparison_export, {"form": "json"}, name="report-json"),
    path(f"{ONE}cancel/", views.comparison_cancel, name="cancel"),
    path(f"{ONE}resume/", views.comparison_resume, name="resume"),
]
