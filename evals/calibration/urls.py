"""The pages of calibrations, below /p/<project>/."""

from __future__ import annotations

from django.urls import path

from evals.calibration import views

app_name = "calibration"
ONE = "evals/calibrations/<uuid:calibration_id>/"
urlpatterns = [
    path("evals/judges/<uuid:judge_id>/calibrate/", views.new_calibration, name="new"),
    path(ONE, views.calibration_page, name="calibration"),
    path(f"{ONE}ask/", views.ask, name="ask"),
    path(f"{ONE}delete/", views.delete, name="delete"),
    path(f"{ONE}label/", views.label_page, name="label"),
    path(f"{ONE}label/next/", views.next_answer, name="next"),
    path(f"{ONE}label/submit/", views.submit, name="submit"),
    path(f"{ONE}label/undo/", views.undo, name="undo"),
]
