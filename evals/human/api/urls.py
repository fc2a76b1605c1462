"""The API of human evaluation, below /api/v1/. A slash at the end is optional."""

from __future__ import annotations

from django.urls import re_path

from evals.human.api import rating, views
from workbench.core.patterns import UUID

app_name = "human-api"
_FORM = rf"^rating-forms/(?P<form_id>{UUID})"
_STUDY = rf"^studies/(?P<study_id>{UUID})"
urlpatterns = [
    re_path(r"^rating-forms/?$", views.rating_forms, name="forms"),
    re_path(_FORM + r"/?$", views.rating_form, name="form"),
    re_path(r"^studies/?$", views.studies, name="studies"),
    re_path(_STUDY + r"/?$", views.study, name="study"),
    re_path(_STUDY + r"/raters/?$", views.raters, name="raters"),
    re_path(_STUDY + r"/archive/?$", views.archive, name="archive"),
    re_path(_STUDY + r"/unarchive/?$", views.unarchive, name="unarchive"),
    re_path(_STUDY + r"/finish/?$", views.finish, name="finish"),
    re_path(_STUDY + r"/results/?$", views.results, name="results"),
    re_path(_STUDY + r"/scores/?$", views.scores, name="scores"),
    re_path(_STUDY + r"/next/?$", rating.next_item, name="next"),
    re_path(_STUDY + r"/ratings/?$", rating.ratings, name="ratings"),
    re_path(_STUDY + r"/undo/?$", rating.undo, name="undo"),
]
