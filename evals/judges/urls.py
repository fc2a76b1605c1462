"""The pages of judges, below /p/<project>/."""

from __future__ import annotations

from django.urls import path

from evals.judges import views

app_name = "judges"
ONE = "evals/judges/<uuid:judge_id>/"
urlpatterns = [
    path("evals/judges/", views.judge_list, name="list"),
    path("evals/judges/new/", views.new_judge, name="new"),
    path("evals/judges/preview/", views.preview, name="preview"),
    path("evals/judges/try/", views.try_judge, name="try"),
    path(ONE, views.judge_page, name="judge"),
    path(f"{ONE}edit/", views.edit_judge, name="edit"),
    path(f"{ONE}archive/", views.archive_judge, name="archive"),
]
