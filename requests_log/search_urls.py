"""What the pages of the log ask for while somebody searches."""

from __future__ import annotations

from django.urls import path

from requests_log import list_json, search_pages
from requests_log.saved_views import views as saved_views

urlpatterns = [
    path("log.json", list_json.request_list, name="list-json"),
    path("prompts.json", list_json.prompt_list, name="prompts-json"),
    path("log/views.json", saved_views.view_list_json, name="views-json"),
    path("log/views/", saved_views.view_list, name="views"),
    path("log/views/save/", saved_views.save, name="save-view"),
    path("log/views/<uuid:view_id>/", saved_views.change, name="change-view"),
    path("log/views/<uuid:view_id>/delete/", saved_views.delete, name="delete-view"),
    path("log/complete/", search_pages.completion, name="complete"),
    path("log/timeline/", search_pages.requests_over_time, name="timeline"),
    path("log/zoom/", search_pages.zoom, name="zoom"),
]
