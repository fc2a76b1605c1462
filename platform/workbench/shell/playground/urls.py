"""The playground of a project."""

from __future__ import annotations

from django.urls import path

from workbench.shell.playground.pages import opening, running, saving

_AT = "p/<slug:project>/playground/"
urlpatterns = [
    path(_AT, opening.page, name="playground"),
    path(f"{_AT}check/", running.check, name="playground-check"),
    path(f"{_AT}run/", running.run, name="playground-run"),
    path(f"{_AT}complete/", running.complete, name="playground-complete"),
    path(f"{_AT}save/", running.save, name="playground-save"),
    path(f"{_AT}values/", running.values, name="playground-values"),
    path(f"{_AT}raw/", running.raw, name="playground-raw"),
    path(f"{_AT}verdict/", running.judge, name="playground-verdict"),
    path(f"{_AT}version/", saving.version, name="playground-version"),
    path(f"{_AT}example/", saving.example, name="playground-example"),
    path(f"{_AT}correction/", saving.correction, name="playground-correction"),
    path(f"{_AT}<slug:trial_id>/", opening.trial, name="playground-trial"),
]
