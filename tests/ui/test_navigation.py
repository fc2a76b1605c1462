"""The navigation of a project."""

from __future__ import annotations

import pytest
from django.test import RequestFactory

from workbench.core.models import Project
from workbench.shell import nav

BASE = "/p/acme/"


def _current(path: str) -> list[str]:
    return [entry.name for entry in nav.entries(BASE, path) if entry.is_current]


def test_chords_are_all_different_and_begin_with_g() -> None:
    chords = [place.chord for place in nav.PLACES]

    assert len(set(chords)) == len(chords)
    assert all(chord.startswith("g ") for chord in chords)


@pytest.mark.parametrize(
    ("path", "name"),
    [(BASE, "Home"), (f"{BASE}settings/", "Settings"), (f"{BASE}settings/keys/", "Settings")],
)
def test_the_place_one_is_in_is_marked(path: str, name: str) -> None:
    assert _current(path) == [name]


def test_a_place_without_a_page_is_not_offered() -> None:
    assert not nav.has_page(f"{BASE}no-such-place/")
    assert all(nav.has_page(entry.url) for entry in nav.entries(BASE, BASE))


def test_outside_a_project_there_is_nothing_to_go_to() -> None:
    assert nav.navigation(RequestFactory().get("/patterns/"))["nav"] == []


def test_a_page_of_a_project_gets_its_entries_and_its_jobs() -> None:
    request = RequestFactory().get(BASE)
    request.project = Project(slug="acme", name="Acme")  # type: ignore[attr-defined]

    context = nav.navigation(request)

    assert context["project_url"] == BASE
    assert context["jobs_url"] == f"{BASE}jobs/active/"
    assert context["nav"][0].letter == "H"
