"""The pages of datasets, below /p/<project>/."""

from __future__ import annotations

from django.urls import path

from requests_log.datasets import version_pages, views
from requests_log.datasets.erasure import pages as erasure
from requests_log.datasets.export import pages as export
from requests_log.datasets.hygiene import pages as hygiene
from requests_log.datasets.pages import examples, imports

app_name = "datasets"
_EXAMPLE = "datasets/<slug:slug>/examples/<uuid:example_id>"
_IMPORT = "datasets/<slug:slug>/imports/<uuid:import_id>"
urlpatterns = [
    path("settings/erasure/", erasure.erasure, name="erasure"),
    path("datasets/", views.dataset_list, name="list"),
    path("datasets/new/", views.new, name="new"),
    path("datasets/pick/", views.pick, name="pick"),
    path("datasets/add-selected/", views.add_selected, name="add-selected"),
    path("datasets/of-request/<uuid:request_id>/", views.of_request, name="of-request"),
    path("datasets/export-selected/", export.export_selected, name="export-selected"),
    path("datasets/export-selected/download/", export.download_selected, name="download-selected"),
    path("datasets/<slug:slug>/", views.dataset, name="dataset"),
    path("datasets/<slug:slug>/export/", export.export, name="export"),
    path("datasets/<slug:slug>/export/download/", export.download, name="download"),
    path("datasets/<slug:slug>/export/push/", export.push, name="push"),
    path("datasets/<slug:slug>/versions/", views.versions, name="versions"),
    path("datasets/<slug:slug>/versions/<int:number>/", version_pages.version, name="version"),
    path("datasets/<slug:slug>/versions/<int:number>/diff/", version_pages.diff, name="diff"),
    path("datasets/<slug:slug>/versions/<int:number>/notes/", version_pages.notes, name="notes"),
    path(
        "datasets/<slug:slug>/versions/<int:number>/delete/",
        version_pages.delete,
        name="delete-version",
    ),
    path("datasets/<slug:slug>/freeze/", views.freeze, name="freeze"),
    path("datasets/<slug:slug>/quality/", hygiene.quality, name="quality"),
    path("datasets/<slug:slug>/quality/check/", hygiene.check, name="check"),
    path("datasets/<slug:slug>/quality/progress/", hygiene.progress, name="check-progress"),
    path("datasets/<slug:slug>/quality/undo/<uuid:fix_id>/", hygiene.undo, name="undo-fix"),
    path("datasets/<slug:slug>/quality/<slug:name>/", hygiene.findings, name="findings"),
    path("datasets/<slug:slug>/quality/<slug:name>/fix/", hygiene.fix, name="fix"),
    path("datasets/<slug:slug>/evaluation-set/", hygiene.evaluation_set, name="evaluation-set"),
    path("datasets/<slug:slug>/tag/", views.tag, name="tag"),
    path("datasets/<slug:slug>/remove/", views.remove, name="remove"),
    path("datasets/<slug:slug>/examples/<uuid:example_id>/", views.example, name="example"),
    path(f"{_EXAMPLE}/edit/", examples.edit, name="edit-example"),
    path(f"{_EXAMPLE}/restore/", examples.restore, name="restore-example"),
    path(f"{_EXAMPLE}/take-correction/", examples.take_correction, name="take-correction"),
    path(
        "datasets/<slug:slug>/take-corrections/", examples.take_corrections, name="take-corrections"
    ),
    path(f"{_EXAMPLE}/remove/", examples.remove, name="remove-example"),
    path("datasets/<slug:slug>/imports/", imports.import_list, name="imports"),
    path("datasets/<slug:slug>/imports/hub/", imports.load_hub, name="load-hub"),
    path(f"{_IMPORT}/", imports.import_page, name="import"),
    path(f"{_IMPORT}/change/", imports.change, name="change-import"),
    path(f"{_IMPORT}/load/", imports.load, name="load-import"),
    path(f"{_IMPORT}/start/", imports.start, name="start-import"),
    path(f"{_IMPORT}/discard/", imports.discard, name="discard-import"),
    path(f"{_IMPORT}/problems/", imports.problems, name="import-problems"),
]
