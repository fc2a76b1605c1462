"""The API of the review queue, below /api/v1/. A slash at the end is optional."""

from __future__ import annotations

from django.urls import re_path

from requests_log.review.api import views

app_name = "review-api"
urlpatterns = [
    re_path(r"^review/?$", views.review, name="review"),
    re_path(r"^review/agreement/?$", views.agreement, name="agreement"),
]
