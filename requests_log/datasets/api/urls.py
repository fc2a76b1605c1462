"""The datasets API, below /api/v1/. A slash at the end is optional."""

from __future__ import annotations

from django.urls import re_path

from requests_log.datasets.api import corrections, examples, hygiene, imports, versions, views
from requests_log.datasets.erasure import api as erasure
from requests_log.datasets.export import api as export
from workbench.core.patterns import UUID

app_name = "datasets-api"
_ONE = r"^datasets/(?P<slug>[-\w]+)"
_VERSION = _ONE + r"/versions/(?P<number>[0-9]{1,9})"
_IMPORT = _ONE + rf"/imports/(?P<import_id>{UUID})"
urlpatterns = [
    re_path(r"^datasets/?$", views.datasets, name="datasets"),
    re_path(_ONE + r"/?$", views.dataset, name="dataset"),
    re_path(_ONE + r"/examples/?$", views.examples, name="examples"),
    re_path(_ONE + rf"/examples/(?P<example_id>{UUID})/?$", examples.example, name="example"),
    re_path(
        _ONE + rf"/examples/(?P<example_id>{UUID})/take-correction/?$",
        corrections.take_correction,
        name="take-correction",
    ),
    re_path(_ONE + r"/take-corrections/?$", corrections.take_corrections, name="take-corrections"),
    re_path(_ONE + r"/imports/?$", imports.imports, name="imports"),
    re_path(_ONE + r"/imports/hub/?$", imports.load_hub, name="load-hub"),
    re_path(_IMPORT + r"/?$", imports.one_import, name="import"),
    re_path(_IMPORT + r"/load/?$", imports.load, name="load-import"),
    re_path(_IMPORT + r"/start/?$", imports.start, name="start-import"),
    re_path(_IMPORT + r"/problems/?$", imports.problems, name="import-problems"),
    re_path(_ONE + r"/tags/?$", views.tags, name="tags"),
    re_path(_ONE + r"/select/?$", views.select, name="select"),
    re_path(_ONE + r"/check/?$", hygiene.checks, name="check"),
    re_path(_ONE + r"/check/findings/?$", hygiene.findings, name="findings"),
    re_path(_ONE + r"/fixes/?$", hygiene.fixes, name="fixes"),
    re_path(_ONE + rf"/fixes/(?P<fix_id>{UUID})/undo/?$", hygiene.undo, name="undo-fix"),
    re_path(_ONE + r"/versions/?$", views.versions, name="versions"),
    re_path(_VERSION + r"/?$", versions.version, name="version"),
    re_path(_VERSION + r"/manifest/?$", versions.version_manifest, name="version-manifest"),
    re_path(_VERSION + r"/lineage/?$", versions.lineage, name="version-lineage"),
    re_path(_VERSION + r"/diff/?$", versions.diff, name="version-diff"),
    re_path(_VERSION + r"/rows/?$", views.version_rows, name="version-rows"),
    re_path(_ONE + r"/export/?$", export.draft, name="export-draft"),
    re_path(_ONE + r"/push/?$", export.push, name="push"),
    re_path(_VERSION + r"/export/?$", export.version, name="export-version"),
    re_path(r"^erasures/?$", erasure.erasures, name="erasures"),
    re_path(r"^erasures/reach/?$", erasure.reach, name="erasure-reach"),
    re_path(rf"^erasures/(?P<erasure_id>{UUID})/?$", erasure.erasure, name="erasure"),
    re_path(r"^export/requests/?$", export.requests, name="export-requests"),
]
