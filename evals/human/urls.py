"""The pages of human evaluation, below /p/<project>/."""

from __future__ import annotations

from django.urls import path

from evals.human.pages import forms, rating, studies

app_name = "human"
ONE = "evals/human/<uuid:study_id>/"
FORM = "evals/human/forms/<uuid:form_id>/"
urlpatterns = [
    path("evals/human/", studies.study_list, name="list"),
    path("evals/human/new/", studies.new_study, name="new"),
    path("evals/human/forms/", forms.form_list, name="forms"),
    path("evals/human/forms/new/", forms.new_form, name="new-form"),
    path("evals/human/forms/preview/", forms.preview, name="preview"),
    path(FORM, forms.form_page, name="form"),
    path(f"{FORM}edit/", forms.edit_form, name="edit-form"),
    path(ONE, studies.study_page, name="study"),
    path(f"{ONE}raters/", studies.study_raters, name="raters"),
    path(f"{ONE}step-back/", studies.study_step_back, name="step-back"),
    path(f"{ONE}archive/", studies.study_archive, name="archive"),
    path(f"{ONE}delete/", studies.study_delete, name="delete"),
    path(f"{ONE}finish/", studies.study_finish, name="finish"),
    path(f"{ONE}scores/", studies.study_scores, name="scores"),
    path(f"{ONE}items/<int:position>/", studies.study_item, name="item"),
    path(f"{ONE}results.json", studies.study_export, {"form": "json"}, name="json"),
    path(f"{ONE}results.csv", studies.study_export, {"form": "csv"}, name="csv"),
    path(f"{ONE}rate/", rating.rate_page, name="rate"),
    path(f"{ONE}rate/next/", rating.next_item, name="next"),
    path(f"{ONE}rate/submit/", rating.submit, name="submit"),
    path(f"{ONE}rate/undo/", rating.undo, name="undo"),
]
