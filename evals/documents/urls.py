"""The pages of documents, below /p/<project>/."""

from __future__ import annotations

from django.urls import path

from evals.documents import views
from evals.documents.pages import asking, pairs

app_name = "documents"
ONE = "evals/documents/<uuid:set_id>/"
MADE = f"{ONE}pairs/<uuid:making_id>/"
urlpatterns = [
    path("evals/documents/", views.document_list, name="list"),
    path("evals/documents/send/", views.send, name="send"),
    path(ONE, views.document_set, name="set"),
    path(f"{ONE}cut/", views.cut, name="cut"),
    path(f"{ONE}forget/", views.forget, name="forget"),
    path(f"{ONE}ask/", asking.ask, name="ask"),
    path(f"{ONE}ask/price/", asking.price, name="price"),
    path(MADE, pairs.pair_list, name="pairs"),
    path(f"{MADE}add/", pairs.add, name="add"),
    path(f"{MADE}cancel/", pairs.cancel, name="cancel"),
    path(f"{MADE}resume/", pairs.resume, name="resume"),
    path(f"{MADE}<int:number>/decide/", pairs.decide, name="decide"),
    path(f"{MADE}<int:number>/edit/", pairs.edit, name="edit"),
]
