"""Files of others are what vendor.toml says they are."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path

import plotly.offline

import workbench.core

VENDOR = Path(workbench.core.__file__).parent / "static/core/vendor"


def _entries() -> dict[str, dict[str, str]]:
    listed = tomllib.loads((VENDOR / "vendor.toml").read_text(encoding="utf-8"))["file"]
    return {entry["path"]: entry for entry in listed}


def test_every_file_has_the_hash_that_is_written_down() -> None:
    for path, entry in _entries().items():
        found = hashlib.sha256((VENDOR / path).read_bytes()).hexdigest()

        assert found == entry["sha256"], path


def test_every_file_is_listed_with_its_licence() -> None:
    entries = _entries()
    licences = {entry["licence_file"] for entry in entries.values()}

    assert {path.name for path in VENDOR.iterdir()} == {*entries, *licences, "vendor.toml"}


def test_plotly_in_the_page_is_the_plotly_that_python_builds_figures_for() -> None:
    entry = _entries()["plotly-basic.min.js"]
    head = (VENDOR / "plotly-basic.min.js").read_text(encoding="utf-8")[:400]

    assert entry["version"] == plotly.offline.get_plotlyjs_version()
    assert f"v{entry['version']}" in head
