"""What the palette offers beside what stands on the page: saved views, pages, things."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.urls import reverse

from finetunes.models import RegisteredModel
from requests_log.datasets.models import Dataset
from requests_log.saved_views.models import SavedView
from requests_log.saved_views.views import address_of
from workbench.core.models import Project, User
from workbench.shell.nav import has_page

MOST_OF_A_KIND = 100
PAGES = (
    ("Saved views", "log/views/"),
    ("Bulk actions", "log/bulk/"),
    ("Import", "log/imports/"),
    ("Quarantine", "log/quarantine/"),
    ("Jobs", "jobs/"),
    ("Start from", "start/"),
    ("New dataset", "datasets/new/"),
    ("New fine-tune", "tunes/new/"),
    ("New comparison", "evals/new/"),
    ("New judge", "evals/judges/new/"),
    ("Import a model", "import-model/"),
    ("Members", "settings/"),
    ("API keys", "settings/keys/"),
    ("Connections", "settings/connections/"),
    ("Redaction", "settings/redaction/"),
    ("Prices", "settings/prices/"),
)
"""Pages below `/p/<slug>/` that the navigation does not show; one without a view is left out."""


@dataclass(frozen=True)
class Offer:
    """Something to go to: the heading it stands under, its name, its address."""

    group: str
    label: str
    url: str


def offers(project: Project, user: User) -> list[Offer]:
    """Everything in reach of this person from this project, at most a hundred of each kind."""
    return [
        *_views(project, user),
        *_pages(project),
        *_things(project),
    ]


def _views(project: Project, user: User) -> Iterator[Offer]:
    for view in SavedView.objects.visible_to(project, user)[:MOST_OF_A_KIND]:
        yield Offer("Saved views", view.name, address_of(project, view))


def _pages(project: Project) -> Iterator[Offer]:
    base = f"/p/{project.slug}/"
    for label, path in PAGES:
        if has_page(base + path):
            yield Offer("Pages", label, base + path)


def _things(project: Project) -> Iterator[Offer]:
    for dataset in Dataset.objects.in_project(project).order_by("name", "pk")[:MOST_OF_A_KIND]:
        address = reverse("datasets:dataset", args=[project.slug, dataset.slug])
        yield Offer("Datasets", dataset.name, address)
    for model in RegisteredModel.objects.in_project(project).by_name()[:MOST_OF_A_KIND]:
        yield Offer(
            "Models", model.name, reverse("finetunes:model", args=[project.slug, model.name])
        )
