"""The prompts API, below /api/v1/. A slash at the end is optional.

Names contain slashes, so what ends an address comes first; no part of a name may be such an end.
"""

from __future__ import annotations

from django.urls import re_path

from prompts.api import labels, views

app_name = "prompts-api"
_ONE = r"^prompts/(?P<name>.+)"
_LABEL = _ONE + r"/labels/(?P<label>[^/]+)"
urlpatterns = [
    re_path(r"^prompts/?$", views.prompts, name="prompts"),
    re_path(_ONE + r"/versions/?$", views.versions, name="versions"),
    re_path(_ONE + r"/labels/?$", labels.labels, name="labels"),
    re_path(_LABEL + r"/?$", labels.label, name="label"),
    re_path(_LABEL + r"/roll-back/?$", labels.label_roll_back, name="label-roll-back"),
    re_path(_ONE + r"/diff/?$", views.diff, name="diff"),
    re_path(_ONE + r"/compile/?$", views.compile_prompt, name="compile"),
    re_path(r"^prompts/(?P<name>.+?)/?$", views.prompt, name="prompt"),
]
