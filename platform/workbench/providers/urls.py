"""Pages of this app."""

from __future__ import annotations

from django.urls import path

from workbench.providers import views

app_name = "providers"
BASE = "settings/connections/"
urlpatterns = [
    path(BASE, views.connection_list, name="connections"),
    path(f"{BASE}new/", views.new_connection, name="new-connection"),
    path(f"{BASE}<uuid:connection_id>/", views.edit_connection, name="edit-connection"),
    path(f"{BASE}<uuid:connection_id>/remove/", views.remove, name="remove-connection"),
    path(f"{BASE}<uuid:connection_id>/check/", views.check, name="check-connection"),
    path(f"{BASE}<uuid:connection_id>/try/", views.try_one, name="try-connection"),
]
