"""The pages of the log, below /p/<project>/."""

from __future__ import annotations

from django.urls import path

from requests_log import import_pages, search_urls, views
from requests_log.bulk import views as bulk
from requests_log.feedback import views as feedback
from requests_log.pricing import views as prices
from requests_log.quarantine import views as quarantine
from requests_log.traces import views as trace_views

app_name = "log"
_ONE = "log/<uuid:request_id>/"
feedback_pages = [
    path(f"{_ONE}scores/", feedback.add_score, name="add-score"),
    path(f"{_ONE}scores/<uuid:score_id>/", feedback.change_score, name="change-score"),
    path(f"{_ONE}scores/<uuid:score_id>/delete/", feedback.delete_score, name="delete-score"),
    path(f"{_ONE}thumb/", feedback.thumb, name="thumb"),
    path(f"{_ONE}comments/", feedback.add_comment, name="add-comment"),
    path(f"{_ONE}comments/<uuid:comment_id>/", feedback.change_comment, name="change-comment"),
    path(
        f"{_ONE}comments/<uuid:comment_id>/delete/",
        feedback.delete_comment,
        name="delete-comment",
    ),
    path(f"{_ONE}correct/", feedback.correct, name="correct"),
    path(f"{_ONE}correct/preview/", feedback.preview_correction, name="preview-correction"),
    path(f"{_ONE}correct/withdraw/", feedback.withdraw, name="withdraw"),
]
urlpatterns = [
    *feedback_pages,
    *search_urls.urlpatterns,
    path("log/", views.request_list, name="list"),
    path("log/newer/", views.newer, name="newer"),
    path("log/tag/", views.tag_selection, name="tag-selection"),
    path("log/score/", bulk.score_selection, name="score-selection"),
    path("log/delete/", bulk.delete_selection, name="delete-selection"),
    path("log/bulk/", bulk.history, name="bulk"),
    path("log/bulk/<uuid:action_id>/undo/", bulk.undo_action, name="undo-bulk"),
    path("log/quarantine/", quarantine.quarantine_list, name="quarantine"),
    path("log/quarantine/replay/", quarantine.replay_everything, name="quarantine-replay-all"),
    path(
        "log/quarantine/<slug:kind>/<uuid:event_id>/",
        quarantine.quarantine_event,
        name="quarantined",
    ),
    path(
        "log/quarantine/<slug:kind>/<uuid:event_id>/replay/",
        quarantine.replay_one,
        name="quarantine-replay",
    ),
    path(
        "log/quarantine/<slug:kind>/<uuid:event_id>/discard/",
        quarantine.discard_one,
        name="quarantine-discard",
    ),
    path(
        "log/quarantine/<slug:kind>/<uuid:event_id>/raw/<slug:part>/",
        quarantine.quarantine_download,
        name="quarantine-download",
    ),
    path("log/imports/", import_pages.import_list, name="imports"),
    path("log/imports/<uuid:import_id>/", import_pages.import_page, name="import"),
    path("log/imports/<uuid:import_id>/change/", import_pages.change, name="change-import"),
    path("log/imports/<uuid:import_id>/start/", import_pages.start, name="start-import"),
    path("log/imports/<uuid:import_id>/discard/", import_pages.discard, name="discard-import"),
    path("log/imports/<uuid:import_id>/problems/", import_pages.problems, name="import-problems"),
    path("log/<uuid:request_id>/", views.request_page, name="request"),
    path("log/<uuid:request_id>/inspect/", views.inspect, name="inspect"),
    path("log/<uuid:request_id>/tag/", views.tag_request, name="tag"),
    path("log/trace/", trace_views.trace_page, name="trace"),
    path("log/span/<uuid:span_id>/", trace_views.span_page, name="span"),
    path("log/span/<uuid:span_id>/inspect/", trace_views.inspect_span, name="inspect-span"),
    path("settings/prices/", prices.page, name="prices"),
    path("settings/prices/add/", prices.add, name="add-price"),
    path("settings/prices/prices.csv", prices.export, name="export-prices"),
    path("settings/prices/import/", prices.take_in, name="import-prices"),
    path("settings/prices/<int:price_id>/remove/", prices.remove, name="remove-price"),
    path("prompts/in-log/", views.prompt_list, name="prompts"),
    path("log/<uuid:request_id>/raw/<slug:part>/", views.download, name="download"),
]
