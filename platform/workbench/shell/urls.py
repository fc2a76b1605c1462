"""Home, settings, jobs, the pattern page."""

from __future__ import annotations

from django.urls import path

from workbench.shell import views
from workbench.shell.playground.urls import urlpatterns as playground
from workbench.shell.settings_pages import keys, members
from workbench.shell.starting.urls import urlpatterns as starting

app_name = "shell"
urlpatterns = [
    *playground,
    *starting,
    path("", views.front_door, name="front-door"),
    path("healthz", views.health, name="health"),
    path("patterns/", views.patterns, name="patterns"),
    path("p/<slug:project>/", views.home, name="home"),
    path("p/<slug:project>/palette.json", views.palette, name="palette"),
    path("p/<slug:project>/jobs/", views.job_list, name="jobs"),
    path("p/<slug:project>/jobs/active/", views.active_jobs, name="active-jobs"),
    path("p/<slug:project>/jobs/<uuid:job_id>/cancel/", views.cancel, name="cancel-job"),
    path("p/<slug:project>/settings/", members.page, name="settings"),
    path("p/<slug:project>/settings/members/add/", members.add, name="add-member"),
    path(
        "p/<slug:project>/settings/members/<int:user_id>/remove/",
        members.remove,
        name="remove-member",
    ),
    path("p/<slug:project>/settings/keys/", keys.page, name="keys"),
    path("p/<slug:project>/settings/keys/new/", keys.create, name="new-key"),
    path("p/<slug:project>/settings/keys/<int:key_id>/revoke/", keys.revoke, name="revoke-key"),
    path("p/<slug:project>/settings/keys/<int:key_id>/budget/", keys.budget, name="key-budget"),
]
