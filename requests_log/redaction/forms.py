"""The form of the policy page: from what a browser posts to a document, and to what is shown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict

from requests_log.redaction.detectors import DETECTORS, Detector
from requests_log.redaction.rules import PLACE_TITLES, Place, Replacement

OFF = "off"
BLANK_ROWS = 2
REPLACEMENTS = {
    Replacement.LABEL: "the label",
    Replacement.HASH: "label and hash",
    Replacement.DROP: "nothing",
}


@dataclass(frozen=True)
class DetectorRow:
    """A named detector and how the shown policy uses it."""

    detector: Detector
    on: bool
    replacement: str


@dataclass(frozen=True)
class PatternRow:
    """A pattern as its line in the form says."""

    name: str = ""
    pattern: str = ""
    label: str = ""
    replacement: str = Replacement.LABEL


def posted_document(posted: QueryDict) -> dict[str, Any]:
    """The rules in a posted form, not yet checked."""
    return {
        "detectors": {
            name: posted.get(f"replacement-{name}", Replacement.LABEL.value)
            for name in posted.getlist("detectors")
        },
        "patterns": list(_patterns(posted)),
        "places": posted.getlist("places"),
        "keys": "keys" in posted,
    }


def _patterns(posted: QueryDict) -> Iterator[dict[str, Any]]:
    columns = ("pattern_name", "pattern", "pattern_label", "pattern_replacement")
    for name, pattern, label, chosen in zip(*map(posted.getlist, columns), strict=False):
        if not (name.strip() or pattern):
            continue
        yield {
            "name": name.strip(),
            "pattern": pattern,
            "label": label.strip() or _label(name),
            "replacement": Replacement.LABEL.value if chosen == OFF else chosen,
            "on": chosen != OFF,
        }


def _label(name: str) -> str:
    """A label made of a pattern's name: “Order number” becomes ORDER_NUMBER."""
    return re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_")[:40]


def shown(document: dict[str, Any]) -> dict[str, Any]:
    """What the form's template needs to show a document."""
    detectors, places = document.get("detectors", {}), document.get("places", [*Place])
    return {
        "detectors": [
            DetectorRow(one, name in detectors, detectors.get(name, Replacement.LABEL))
            for name, one in DETECTORS.items()
        ],
        "patterns": [*map(_row, document.get("patterns", [])), *[PatternRow()] * BLANK_ROWS],
        "places": [(place, title, place in places) for place, title in PLACE_TITLES.items()],
        "keys": document.get("keys", False),
        "replacements": [(each.value, title) for each, title in REPLACEMENTS.items()],
    }


def _row(values: dict[str, Any]) -> PatternRow:
    chosen = values.get("replacement", Replacement.LABEL) if values.get("on", True) else OFF
    return PatternRow(values["name"], values["pattern"], values["label"], chosen)
