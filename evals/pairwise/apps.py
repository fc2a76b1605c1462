"""Django's entry to this app."""

from __future__ import annotations

from django.apps import AppConfig


class PairwiseConfig(AppConfig):
    name = "evals.pairwise"
    label = "pairwise"
