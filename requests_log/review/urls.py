"""The pages of the review queue, below /p/<project>/."""

from __future__ import annotations

from django.urls import path

from requests_log.review import views

app_name = "review"
urlpatterns = [
    path("queue/", views.queue, name="queue"),
    path("queue/next/", views.next_item, name="next"),
    path("queue/undo/", views.undo, name="undo"),
    path("queue/send-selected/", views.send_selected, name="send-selected"),
    path("queue/agreement/", views.agreement_page, name="agreement"),
    path("queue/policy/", views.policy, name="policy"),
    path("queue/<uuid:item_id>/accept/", views.accept, name="accept"),
    path("queue/<uuid:item_id>/reject/", views.reject, name="reject"),
    path("queue/<uuid:item_id>/skip/", views.skip, name="skip"),
]
