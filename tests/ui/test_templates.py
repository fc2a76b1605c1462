"""What every template and stylesheet keeps to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.template.loader import get_template

import workbench.core

CORE = Path(workbench.core.__file__).parent
ROOT = CORE.parents[2]
CSS = CORE / "static/core/css"
APPS = ("platform/workbench", "prompts", "requests_log", "evals", "finetunes")

INLINE = {
    "an inline style": re.compile(r"<[^>]*\sstyle\s*="),
    "an inline handler": re.compile(r"<[^>]*\s(?:on[a-z]+|hx-on[:\w-]*)\s*="),
    "an inline script": re.compile(r"<script(?![^>]*\ssrc=)[^>]*>"),
    "a foreign address": re.compile(r"<(?:script|link|img)[^>]*(?:src|href)=\"(?:https?:)?//"),
}


def _templates() -> Iterator[Path]:
    for app in APPS:
        for folder in sorted((ROOT / app).rglob("templates")):
            yield from sorted(folder.rglob("*.html"))


TEMPLATES = list(_templates())
NAMES = [str(path).rpartition("/templates/")[2] for path in TEMPLATES]


@pytest.mark.parametrize("name", NAMES)
def test_every_template_compiles(name: str) -> None:
    get_template(name)


@pytest.mark.parametrize("what", INLINE)
def test_no_template_holds_what_the_policy_forbids(what: str) -> None:
    found = [str(path) for path in TEMPLATES if INLINE[what].search(path.read_text("utf-8"))]

    assert found == []


def test_templates_stay_short() -> None:
    found = [str(p) for p in TEMPLATES if p.read_text("utf-8").count("\n") > 150]

    assert found == []


def test_every_icon_that_is_asked_for_is_drawn() -> None:
    drawn = set(re.findall(r'id="i-([\w-]+)"', _component("icons.svg")))
    asked = {
        name
        for path in TEMPLATES
        for name in re.findall(r'{% icon "([\w-]+)"|icon="([\w-]+)"', path.read_text("utf-8"))
        for name in name
        if name
    }

    assert asked - drawn == set()


def test_the_guide_names_every_component_and_block() -> None:
    guide = (ROOT / "docs/interface.md").read_text("utf-8")
    blocks = set(
        re.findall(r"{% block (\w+) %}", (CORE / "templates/base.html").read_text("utf-8"))
    )
    inner = {"htmx_config", "modules", "nav", "nav_link", "topbar", "topbar_end", "overlays", "kbd"}
    components = {path.stem for path in (CORE / "templates/components").glob("*.html")} - inner

    assert {name for name in components | blocks if f"`{name}`" not in guide} == set()


def test_the_css_stays_within_its_budget() -> None:
    lines = {path: path.read_text("utf-8").count("\n") for path in CSS.rglob("*.css")}

    assert sum(lines.values()) <= 1400
    assert {p.name: n for p, n in lines.items() if p.parent.name == "components" and n > 80} == {}


def test_every_component_stylesheet_is_imported() -> None:
    imported = set(re.findall(r'url\("components/(.+?)"\)', (CSS / "app.css").read_text("utf-8")))

    assert imported == {path.name for path in (CSS / "components").iterdir()}


def test_components_take_their_colours_from_the_tokens() -> None:
    literal = re.compile(r"(?:#[0-9a-f]{3,8}\b|\brgba?\(|\bhsl\()", re.IGNORECASE)
    found = [p.name for p in CSS.rglob("*.css") if literal.search(p.read_text("utf-8"))]

    assert found == []


def test_modules_stay_short() -> None:
    lines = {p.name: p.read_text("utf-8").count("\n") for p in (CORE / "static/core/js").glob("*")}

    assert {name: many for name, many in lines.items() if many > 200} == {}


def _component(name: str) -> str:
    return (CORE / "templates/components" / name).read_text("utf-8")
