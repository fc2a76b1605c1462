"""The list of models to serve: `models.json`, read again whenever it changes."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from finetunes.engine.problems import EngineProblem, model_not_found
from finetunes.rendering import RenderSettings

logger = logging.getLogger(__name__)

Stamp = tuple[int, int, int]


class ManifestProblem(Exception):
    """`models.json` cannot be used; the text says what to correct."""


@dataclass(frozen=True)
class ModelEntry:
    """One model version and everything needed to serve it as it was trained.

    `path` holds its tokenizer and its adapter or weights; `base` is where the weights under an
    adapter are, and equals `path` for a full model.
    """

    id: str
    aliases: tuple[str, ...]
    kind: Literal["adapter", "full"]
    path: Path
    base: Path
    render: RenderSettings
    fingerprint: str


@dataclass(frozen=True)
class Manifest:
    """The models of one reading of the file, in its order."""

    models: tuple[ModelEntry, ...] = ()

    def find(self, name: str) -> ModelEntry | None:
        """The model with this id or alias."""
        return next((m for m in self.models if name == m.id or name in m.aliases), None)


class ManifestFile:
    """`models.json` as it is now; a broken edit leaves the last good list in use."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: Stamp | None = None
        self._manifest = Manifest()
        self._loaded = False
        self.problem: str | None = None

    def current(self) -> Manifest:
        """The newest list that could be read.

        Raises:
            EngineProblem: no list could be read yet.
        """
        stamp = _stamp(self._path)
        if stamp != self._stamp or not self._loaded:
            self._read(stamp)
        if not self._loaded:
            raise EngineProblem(503, "models_unreadable", str(self.problem))
        return self._manifest

    def find(self, name: str) -> ModelEntry:
        """The model with this id or alias, after one more look at the file if it is unknown.

        Raises:
            EngineProblem: no list could be read yet, or the name is in none.
        """
        found = self.current().find(name)
        if found is None:
            self._read(_stamp(self._path))
            found = self._manifest.find(name)
        if found is None:
            raise model_not_found(name, [model.id for model in self._manifest.models])
        return found

    def _read(self, stamp: Stamp | None) -> None:
        try:
            self._manifest = read_manifest(self._path)
        except ManifestProblem as problem:
            if self.problem != str(problem):
                logger.warning("models.json cannot be used", extra={"problem": str(problem)})
            self.problem = str(problem)
        else:
            self.problem, self._loaded = None, True
        self._stamp = stamp


def read_manifest(path: Path) -> Manifest:
    """Read and check `models.json`.

    Raises:
        ManifestProblem: the file is missing, is not JSON, or an entry is wrong.
    """
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise ManifestProblem(
            f"{path} cannot be read ({error.strerror}). Write the list of models there."
        ) from error
    except ValueError as error:
        raise ManifestProblem(f"{path} is not JSON ({error}). Write it anew.") from error
    rows = content.get("models") if isinstance(content, dict) else None
    if not isinstance(rows, list):
        raise ManifestProblem(f"{path} needs a list under “models”. Use [] for none.")
    models = tuple(_entry(row, place) for place, row in enumerate(rows))
    _require_distinct(models)
    return Manifest(models)


def _entry(row: object, place: int) -> ModelEntry:
    if not isinstance(row, dict):
        raise ManifestProblem(f"models[{place}] is not an object. Give it an id, kind and path.")
    kind = _text(row, "kind", place)
    if kind not in ("adapter", "full"):
        raise ManifestProblem(f"models[{place}].kind is “{kind}”. Use “adapter” or “full”.")
    path = _directory(row, "path", place)
    return ModelEntry(
        id=_text(row, "id", place),
        aliases=_aliases(row, place),
        kind=cast(Literal["adapter", "full"], kind),
        path=path,
        base=_directory(row, "base", place) if kind == "adapter" else path,
        render=_render(row, place),
        fingerprint=_text(row, "fingerprint", place),
    )


def _text(row: Mapping[str, object], key: str, place: int) -> str:
    value = row.get(key)
    if not isinstance(value, str) or not value:
        raise ManifestProblem(f"models[{place}].{key} must be a text that is not empty.")
    return value


def _directory(row: Mapping[str, object], key: str, place: int) -> Path:
    path = Path(_text(row, key, place))
    if not path.is_absolute():
        raise ManifestProblem(f"models[{place}].{key} is “{path}”. Give the absolute directory.")
    return path


def _aliases(row: Mapping[str, object], place: int) -> tuple[str, ...]:
    value = row.get("aliases", [])
    if not isinstance(value, list) or not all(isinstance(name, str) and name for name in value):
        raise ManifestProblem(f"models[{place}].aliases must be a list of texts.")
    return tuple(value)


def _render(row: Mapping[str, object], place: int) -> RenderSettings:
    value = row.get("render", {})
    if not isinstance(value, dict):
        raise ManifestProblem(f"models[{place}].render must be an object. Use {{}} for defaults.")
    try:
        return RenderSettings.from_json(value)
    except ValueError as error:
        raise ManifestProblem(f"models[{place}].render: {error}") from error


def _require_distinct(models: tuple[ModelEntry, ...]) -> None:
    seen: set[str] = set()
    for model in models:
        for name in (model.id, *model.aliases):
            if name in seen:
                raise ManifestProblem(
                    f"The name “{name}” stands for two models. Give each its own ids and aliases."
                )
            seen.add(name)


def _stamp(path: Path) -> Stamp | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
