"""The list of models an engine serves: which there are, and which are on this machine's disk."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from finetunes.models import ModelVersion
from workbench.core import blobs

logger = logging.getLogger(__name__)

RETRY_SECONDS = 60.0
Entry = dict[str, Any]


class NotThere(Exception):
    """The weights' address holds no folder."""


class ModelList:
    """Keeps one engine's models.json. Weights kept elsewhere are fetched by a thread beside, so a
    slow or broken store holds up neither the engine nor the other models.
    """

    def __init__(
        self, folder: Path, *, retry: float = RETRY_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.path = folder / "models.json"
        self.retry = retry
        self.clock = clock
        self.listed: list[str] = []
        self._found = _entries_in(self.path)
        self._unserved: dict[str, str] = {}
        self._known: frozenset[tuple[Any, ...]] | None = None
        self._far: list[ModelVersion] = []
        self._fetcher: threading.Thread | None = None
        self._retry_at: float | None = None

    @property
    def unserved(self) -> dict[str, str]:
        """Why a registered model is not in the list, by its id."""
        return dict(self._unserved)

    @property
    def problem(self) -> str:
        """What is wrong, without a model's name: people of every project may read it."""
        many = len(self._unserved)
        return f"Models that cannot be served: {many}. The runner's log says why." if many else ""

    def refresh(self) -> None:
        """Look for versions that came or went, and write down what can be served by now."""
        self._look()
        if self._far and not (self._fetcher and self._fetcher.is_alive()):
            wanted, self._far = self._far, []
            self._fetcher = threading.Thread(
                target=self._fetch, args=[wanted], name="model-fetcher", daemon=True
            )
            self._fetcher.start()
        self._write()

    def wait(self, seconds: float) -> None:
        """Wait for what is being fetched."""
        if self._fetcher is not None:
            self._fetcher.join(seconds)

    def _look(self) -> None:
        rows = ModelVersion.objects.values_list("pk", "model__project__slug", "model__name")
        known = frozenset(rows)
        due = self._retry_at is not None and self.clock() >= self._retry_at
        if known == self._known and not due:
            return
        versions = list(ModelVersion.objects.select_related("model__project").order_by("pk"))
        self._known, self._retry_at = known, None
        ids = {engine_id(version) for version in versions}
        for kept in (self._found, self._unserved):
            for gone in kept.keys() - ids:
                kept.pop(gone, None)
        self._far = [version for version in versions if _is_far(version)]
        self._fetch([version for version in versions if not _is_far(version)])

    def _fetch(self, versions: Sequence[ModelVersion]) -> None:
        """Take the versions in. Needs no database: it may run in the thread."""
        for version in versions:
            name = engine_id(version)
            try:
                self._found[name] = manifest_entry(version)
                self._unserved.pop(name, None)
            except Exception as problem:
                # A store may fail in any way; this model is left out, the others are not.
                if name not in self._unserved:
                    logger.warning("Cannot serve %s", name, exc_info=True)
                self._unserved[name] = _sentence(version, problem)
                self._found.pop(name, None)
                self._retry_at = self.clock() + self.retry

    def _write(self) -> None:
        found = dict(self._found)
        self.listed = sorted(found)
        text = json.dumps({"models": [found[name] for name in self.listed]}, indent=1)
        if self.path.exists() and self.path.read_text(encoding="utf-8") == text:
            return
        draft = self.path.with_suffix(".part")
        draft.write_text(text, encoding="utf-8")
        draft.replace(self.path)


def engine_id(version: ModelVersion) -> str:
    """The version's name inside an engine, which serves the models of all projects."""
    return f"{version.model.project.slug}/{version.ref}"


def manifest_entry(version: ModelVersion) -> Entry:
    """One line of the engine's models.json; fetches the weights if they are kept elsewhere.

    Raises:
        NotThere: the address of the weights, or of their base, holds nothing.
    """
    entry: Entry = {
        "id": engine_id(version),
        "aliases": [],
        "kind": version.kind,
        "path": _folder(version.path),
        "render": version.render,
        "fingerprint": version.render_fingerprint,
    }
    if version.kind == ModelVersion.Kind.ADAPTER:
        entry["base"] = _folder(version.base_path)
    return entry


def _folder(address: str) -> str:
    folder = blobs.local_copy(address)
    if not folder.is_dir():
        raise NotThere(f"there is no folder {address}")
    return str(folder)


def _entries_in(path: Path) -> dict[str, Entry]:
    """What an earlier runner listed, so that its engine loses no model meanwhile."""
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["models"]
        return {entry["id"]: entry for entry in entries}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _is_far(version: ModelVersion) -> bool:
    """Whether the weights may have to be fetched."""
    return "://" in version.path or "://" in version.base_path


def _sentence(version: ModelVersion, problem: Exception) -> str:
    said = str(problem) or type(problem).__name__
    return (
        f"The weights of {version.ref} cannot be read ({said[:300]}). Put them back at "
        f"{version.path}, or register the model again."
    )
