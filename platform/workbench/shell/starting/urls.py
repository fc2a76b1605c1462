"""Starting points, part of the shell's addresses."""

from __future__ import annotations

from django.urls import path

from workbench.shell.starting import pages

_AT = "p/<slug:project>/start/"
urlpatterns = [
    path("projects/new/", pages.new_project, name="new-project"),
    path(_AT, pages.gallery, name="starting-points"),
    path(f"{_AT}<slug:name>/", pages.point_page, name="starting-point"),
    path(f"{_AT}<slug:name>/add/", pages.add, name="start-from"),
]
