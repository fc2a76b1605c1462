"""Django's entry to this app."""

from __future__ import annotations

from django.apps import AppConfig


class ReviewConfig(AppConfig):
    name = "requests_log.review"
    label = "review"
