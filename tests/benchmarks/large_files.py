"""A large file taken through the product by HTTP: sent, imported, frozen, exported.

Its processes are those that `manage.py up` starts; their memory is looked at all the while.
"""

from __future__ import annotations

import csv
import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import md5
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from tests.journeys.installation import Installation

KINDS = ("jsonl", "csv")
"""Formats a file is sent and exported in."""
EXPORTED = {"jsonl": "openai", "csv": "csv"}
WATCHED = ("web", "worker")
LOOK_SECONDS = 0.05
PIECE = 1 << 20


def write_file(path: Path, kind: str, *, rows: int, size: int) -> None:
    """A file of so many different rows, each with an answer of about `size` bytes."""
    with path.open("w", encoding="utf-8", newline="") as file:
        if kind == "csv":
            table = csv.writer(file)
            table.writerow(["prompt", "completion"])
            table.writerows(_pairs(rows, size))
            return
        for question, answer in _pairs(rows, size):
            asked = {"role": "user", "content": question}
            told = {"role": "assistant", "content": answer}
            file.write(json.dumps({"messages": [asked, told]}) + "\n")


def _pairs(rows: int, size: int) -> Iterator[tuple[str, str]]:
    for number in range(rows):
        unlike = md5(str(number).encode(), usedforsecurity=False).hexdigest()
        yield f"Question {number}?", (unlike + " ") * (size // 33)


class Watch:
    """Bytes by which processes grew while the block ran, at most, by name."""

    def __init__(self, processes: dict[str, psutil.Process]) -> None:
        self._processes = processes
        self._before: dict[str, int] = {}
        self._over = threading.Event()
        self._looking = threading.Thread(target=self._look, daemon=True, name="memory")
        self.grown: dict[str, int] = {}

    def __enter__(self) -> Self:
        self._before = self._sizes()
        self.grown = dict.fromkeys(self._processes, 0)
        self._looking.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._over.set()
        self._looking.join()
        self._note()

    def _look(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            self._note()

    def _note(self) -> None:
        for name, size in self._sizes().items():
            self.grown[name] = max(self.grown[name], size - self._before[name])

    def _sizes(self) -> dict[str, int]:
        return {name: one.memory_info().rss for name, one in self._processes.items()}


@dataclass
class Journey:
    """What became of a file: bytes sent and exported, examples, rows frozen, seconds, growth."""

    sent: int = 0
    added: int = 0
    frozen: int = 0
    exported: int = 0
    lines: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    grown: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        begun = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - begun


class Caller:
    """A program with a key."""

    def __init__(self, installation: Installation, *, project: str) -> None:
        self._installation = installation
        self._key = installation.make_key(project)

    def take_through(self, file: Path, *, kind: str, name: str) -> Journey:
        """Send a file into a new dataset, freeze it, and export the version in the same format."""
        slug = self._json("/datasets/", {"name": name})["slug"]
        made = Journey(sent=file.stat().st_size)
        found = [self._installation.find(one) for one in WATCHED]
        processes = {name: one for name, one in zip(WATCHED, found, strict=True) if one}
        assert len(processes) == len(WATCHED), "a process is not there"
        with Watch(processes) as watch:
            with made.step("import"):
                made.added = self._import(file, kind, slug)
            with made.step("freeze"):
                made.frozen = self._freeze(slug)
            with made.step("export"):
                made.exported, made.lines = self._export(slug, EXPORTED[kind])
        made.grown = watch.grown
        return made

    def _import(self, file: Path, kind: str, slug: str) -> int:
        with file.open("rb") as body:
            sent = self._call(
                f"/datasets/{slug}/imports?name=rows.{kind}",
                body,
                {"Content-Length": str(file.stat().st_size)},
            )
        address = f"/datasets/{slug}/imports/{sent['imported']['id']}"
        while (found := self._json(address)["imported"])["state"] in ("draft", "queued", "running"):
            time.sleep(0.2)
        assert found["state"] == "succeeded", found
        return int(found["added"])

    def _freeze(self, slug: str) -> int:
        made = self._json(f"/datasets/{slug}/versions", {"heldout": 10})
        return int(made["rows"])

    def _export(self, slug: str, format_name: str) -> tuple[int, int]:
        size = lines = 0
        path = f"/datasets/{slug}/versions/1/export?format={format_name}&as=file"
        with self._opened(path, None, {}) as answer:
            while piece := answer.read(PIECE):
                size += len(piece)
                lines += piece.count(b"\n")
        return size, lines

    def _json(self, path: str, body: object = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        return self._call(path, data, {"Content-Type": "application/json"})

    def _call(self, path: str, data: Any, headers: dict[str, str]) -> dict[str, Any]:
        with self._opened(path, data, headers) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def _opened(self, path: str, data: Any, headers: dict[str, str]) -> Any:
        sent = {"Authorization": f"Bearer {self._key}"} | headers
        url = f"{self._installation.url}/api/v1{path}"
        request = urllib.request.Request(url, data=data, headers=sent)  # noqa: S310 - our own server
        return urllib.request.urlopen(request, timeout=600)  # noqa: S310 - ours too


def warmed_up(installation: Installation, folder: Path) -> Caller:
    """A caller whose installation has done all of it once with a small file of each kind, so that
    libraries are loaded and growth is that of the rows."""
    caller = Caller(installation, project="Files")
    for kind in KINDS:
        file = folder / f"small.{kind}"
        write_file(file, kind, rows=2_000, size=500)
        caller.take_through(file, kind=kind, name=f"Small {kind}")
    return caller
