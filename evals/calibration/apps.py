"""Django's entry to this app."""

from __future__ import annotations

from django.apps import AppConfig


class CalibrationConfig(AppConfig):
    name = "evals.calibration"
    label = "calibration"
