"""Where artifacts are kept: a folder by default, any fsspec URL when ARTIFACTS_URL says so."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import fsspec
from django.conf import settings
from fsspec.implementations.local import LocalFileSystem

from workbench.core.errors import OperatorProblem


def publish(folder: Path, key: str) -> str:
    """Copy a finished folder into the store under `key`; returns its address.

    Publishing again under the same key replaces what is there.

    Raises:
        OperatorProblem: the store cannot be written.
    """
    try:
        system, root = fsspec.url_to_fs(settings.ARTIFACTS_URL)
        target = f"{root.rstrip('/')}/{key}"
        if isinstance(system, LocalFileSystem):
            return _publish_locally(folder, Path(target))
        system.put(f"{folder}/", f"{target}/", recursive=True)
    except (OSError, ImportError, ValueError) as problem:
        raise OperatorProblem(
            f"Artifacts cannot be written to ARTIFACTS_URL: {problem}. Check the address, its "
            "credentials and free space."
        ) from problem
    return str(system.unstrip_protocol(target))


def local_copy(address: str) -> Path:
    """The folder at an address as a local path; a remote one is fetched once into `var/cache`."""
    system, path = fsspec.url_to_fs(address)
    if isinstance(system, LocalFileSystem):
        return Path(path)
    kept = _cached(address)
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        # A folder of its own: the runner and a web worker may fetch the same address at once.
        with tempfile.TemporaryDirectory(dir=kept.parent, suffix=".part") as draft:
            system.get(f"{path}/", f"{draft}/weights/", recursive=True)
            try:
                Path(draft, "weights").rename(kept)
            except OSError:
                if not kept.exists():
                    raise
    return Path(kept)


def withdraw(address: str) -> None:
    """Remove the folder at an address, and its local copy; harmless when it is gone already."""
    system, path = fsspec.url_to_fs(address)
    with suppress(FileNotFoundError):
        system.rm(path, recursive=True)
    shutil.rmtree(_cached(address), ignore_errors=True)


def _cached(address: str) -> Path:
    name = hashlib.sha256(address.encode()).hexdigest()[:24]
    return Path(settings.VAR_DIR) / "cache" / name


def _publish_locally(folder: Path, target: Path) -> str:
    draft = target.with_name(f"{target.name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    draft.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(folder, draft)
    shutil.rmtree(target, ignore_errors=True)
    draft.rename(target)
    return str(target)
