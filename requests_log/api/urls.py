"""The requests API."""

from __future__ import annotations

from django.urls import path, re_path

from requests_log.api import feedback, imports, prices, quarantine, scores, views
from requests_log.bulk import api as bulk
from requests_log.saved_views import api as saved_views
from workbench.core.patterns import UUID

app_name = "log-api"
_BULK = rf"^bulk-actions/(?P<action_id>{UUID})"
_IMPORT = rf"^imports/(?P<import_id>{UUID})"
urlpatterns = [
    path("requests/", views.requests, name="requests"),
    path("requests/<uuid:request_id>/", views.one_request, name="request"),
    path("requests/<uuid:request_id>/comments/", feedback.comments, name="comments"),
    path("requests/<uuid:request_id>/corrections/", feedback.corrections, name="corrections"),
    path("comments/<uuid:comment_id>/", feedback.one_comment, name="comment"),
    path("scores/", scores.scores, name="scores"),
    path("scores/<uuid:score_id>/", scores.one_score, name="score"),
    path("prices/", prices.prices, name="prices"),
    path("prices/<int:price_id>/", prices.price, name="price"),
    path("quarantine/", quarantine.quarantine, name="quarantine"),
    path("quarantine/replay/", quarantine.replay_all, name="quarantine-replay-all"),
    path("quarantine/<slug:kind>/<uuid:event_id>/", quarantine.quarantined, name="quarantined"),
    path(
        "quarantine/<slug:kind>/<uuid:event_id>/replay/",
        quarantine.replay,
        name="quarantine-replay",
    ),
    path(
        "quarantine/<slug:kind>/<uuid:event_id>/discard/",
        quarantine.discard,
        name="quarantine-discard",
    ),
    re_path(r"^bulk-actions/?$", bulk.bulk_actions, name="bulk-actions"),
    re_path(_BULK + r"/?$", bulk.bulk_action, name="bulk-action"),
    re_path(_BULK + r"/undo/?$", bulk.undo, name="undo-bulk"),
    re_path(r"^saved-views/?$", saved_views.saved_views, name="saved-views"),
    re_path(rf"^saved-views/(?P<view_id>{UUID})/?$", saved_views.saved_view, name="saved-view"),
    re_path(r"^imports/?$", imports.imports, name="imports"),
    re_path(_IMPORT + r"/?$", imports.one_import, name="import"),
    re_path(_IMPORT + r"/start/?$", imports.start, name="start-import"),
    re_path(_IMPORT + r"/problems/?$", imports.problems, name="import-problems"),
]
