"""The training and registry API, below /api/v1/. A slash at the end is optional."""

from __future__ import annotations

from django.urls import re_path

from finetunes.api import registry, runs
from workbench.core.patterns import UUID

app_name = "finetunes-api"
_RUN = rf"^training-runs/(?P<run_id>{UUID})"
_MODEL = r"^models/(?P<name>[a-z0-9][a-z0-9._-]*)"
_ALIAS = r"(?P<alias>[a-z][a-z0-9_-]*)"
urlpatterns = [
    re_path(r"^training-runs/?$", runs.runs, name="runs"),
    re_path(_RUN + r"/?$", runs.run, name="run"),
    re_path(_RUN + r"/events/?$", runs.run_events, name="run-events"),
    re_path(_RUN + r"/cancel/?$", runs.run_cancel, name="run-cancel"),
    re_path(r"^models/?$", registry.models, name="models"),
    re_path(_MODEL + "@" + _ALIAS + r"/?$", registry.resolve, name="resolve"),
    re_path(_MODEL + r"/versions/?$", registry.versions, name="versions"),
    re_path(_MODEL + "/aliases/" + _ALIAS + r"/?$", registry.alias, name="alias"),
    re_path(
        _MODEL + "/aliases/" + _ALIAS + r"/roll-back/?$",
        registry.alias_roll_back,
        name="alias-roll-back",
    ),
]
