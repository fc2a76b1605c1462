"""The pages of judges of two over a comparison, below /p/<project>/."""

from __future__ import annotations

from django.urls import path

from evals.pairwise import views

app_name = "pairwise"
ONE = "evals/<uuid:comparison_id>/pairs/"
urlpatterns = [
    path(ONE, views.pairs_page, name="pairs"),
    path(f"{ONE}<uuid:version_id>/", views.start, name="start"),
]
