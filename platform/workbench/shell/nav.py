"""The navigation as data: what the left bar, the palette and the `g` keys offer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.http import HttpRequest
from django.urls import Resolver404, resolve


@dataclass(frozen=True)
class Place:
    """A part of a project: its name, its path below `/p/<slug>/`, its chord and its drawing."""

    name: str
    path: str
    chord: str
    icon: str
    foot: bool = False


@dataclass(frozen=True)
class Entry:
    """A place of one project, as a page shows it."""

    name: str
    url: str
    chord: str
    icon: str
    foot: bool
    is_current: bool

    @property
    def letter(self) -> str:
        """The second key of the chord, as its cap shows it."""
        return self.chord[-1:].upper()


PLACES = (
    Place("Home", "", "g h", "home"),
    Place("Log", "log/", "g l", "log"),
    Place("Queue", "queue/", "g q", "queue"),
    Place("Datasets", "datasets/", "g d", "dataset"),
    Place("Prompts", "prompts/", "g p", "prompt"),
    Place("Evals", "evals/", "g e", "eval"),
    Place("Fine-tunes", "tunes/", "g t", "tune"),
    Place("Models", "models/", "g m", "model"),
    Place("Playground", "playground/", "g y", "play"),
    Place("Settings", "settings/", "g s", "settings", foot=True),
)
JOBS_PATH = "jobs/active/"
PALETTE_PATH = "palette.json"


def navigation(request: HttpRequest) -> dict[str, Any]:
    """Template context: `nav` (the entries of the request's project) and addresses in it."""
    project = getattr(request, "project", None)
    if project is None:
        return {"nav": [], "project_url": "", "jobs_url": "", "palette_url": ""}
    base = f"/p/{project.slug}/"
    jobs_url = base + JOBS_PATH
    return {
        "nav": entries(base, request.path),
        "project_url": base,
        "jobs_url": jobs_url if has_page(jobs_url) else "",
        "palette_url": base + PALETTE_PATH,
    }


def entries(base: str, path: str) -> list[Entry]:
    """The places that have a page, the one that `path` lies in marked as current."""
    return [
        Entry(
            name=place.name,
            url=base + place.path,
            chord=place.chord,
            icon=place.icon,
            foot=place.foot,
            is_current=_lies_in(path, base, place),
        )
        for place in PLACES
        if has_page(base + place.path)
    ]


@lru_cache(maxsize=4096)
def has_page(path: str) -> bool:
    """Whether some view answers at the path: a place without a page is not offered."""
    try:
        resolve(path)
    except Resolver404:
        return False
    return True


def _lies_in(path: str, base: str, place: Place) -> bool:
    return path.startswith(base + place.path) if place.path else path == base
