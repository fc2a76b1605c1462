"""The API of documents, below /api/v1/. A slash at the end is optional."""

from __future__ import annotations

from django.urls import re_path

from evals.documents.api import pairs, views
from workbench.core.patterns import UUID

app_name = "documents-api"
_ONE = rf"^documents/(?P<set_id>{UUID})"
_MADE = _ONE + rf"/pairs/(?P<making_id>{UUID})"
urlpatterns = [
    re_path(r"^documents/?$", views.documents, name="list"),
    re_path(_ONE + r"/?$", views.document_set, name="set"),
    re_path(_ONE + r"/chunks/?$", views.chunks, name="chunks"),
    re_path(_ONE + r"/pairs/?$", pairs.start, name="start"),
    re_path(_ONE + r"/pairs/estimate/?$", pairs.price, name="estimate"),
    re_path(_MADE + r"/?$", pairs.making, name="making"),
    re_path(_MADE + r"/add/?$", pairs.add, name="add"),
    re_path(_MADE + r"/(?P<number>[0-9]{1,9})/?$", pairs.pair, name="pair"),
]
