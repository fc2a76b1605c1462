"""A small server that speaks the Hub's protocol for reading dataset repositories."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

SHA = "1" * 40
PRIVATE = "hf_of_the_tests"


@dataclass
class Hub:
    """Its repositories: the bytes of each file by its path."""

    url: str = ""
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    private: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def do_GET(self) -> None:
        self._route()

    def do_HEAD(self) -> None:
        self._route()

    def do_POST(self) -> None:
        self._route(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def _route(self, body: bytes = b"") -> None:
        path = unquote(self.path.split("?")[0])
        self.hub.asked.append(f"{self.command} {path}")
        found = re.match(r"/(?:api/)?datasets/([^/]+/[^/]+)(?:/(.*))?$", path)
        files = self.hub.files.get(found[1]) if found else None
        if found is None or files is None or not self._may_read(found[1]):
            return self._answer(401, {"error": "Repository not found"}, "RepoNotFound")
        rest = found[2] or ""
        if rest.startswith("resolve/"):
            return self._file(files, rest.split("/", 2)[2])
        if rest.startswith("tree/"):
            return self._tree(files, "/".join(rest.split("/")[2:]))
        if rest.startswith("paths-info/"):
            return self._paths(files, body)
        if rest in ("", "revision/main", f"revision/{SHA}"):
            return self._info(found[1], files)
        return self._answer(404, {"error": "Not here"}, "EntryNotFound")

    def _may_read(self, name: str) -> bool:
        is_known = self.headers.get("Authorization") == f"Bearer {PRIVATE}"
        return name not in self.hub.private or is_known

    def _info(self, name: str, files: dict[str, bytes]) -> None:
        head = re.match(r"---\n(.*?)\n---", files.get("README.md", b"").decode(), re.DOTALL)
        card = json.loads(head[1]) if head else {}
        listed = [{"rfilename": path} for path in files]
        made = {"id": name, "sha": SHA, "siblings": listed, "cardData": card, "private": False}
        self._answer(200, made | {"tags": [], "downloads": 0, "likes": 0, "lastModified": WHEN})

    def _tree(self, files: dict[str, bytes], below: str) -> None:
        prefix = f"{below.rstrip('/')}/" if below else ""
        found: dict[str, dict[str, Any]] = {}
        for path in files:
            if not path.startswith(prefix):
                continue
            inner = path.removeprefix(prefix)
            is_recursive = "recursive=True" in self.path or "recursive=true" in self.path
            if "/" in inner:
                folder = prefix + inner.split("/")[0]
                found[folder] = _folder(folder)
            if "/" not in inner or is_recursive:
                found[path] = _entry(path, files[path])
        if below and not found:
            return self._answer(404, {"error": "No such folder"}, "EntryNotFound")
        return self._answer(200, list(found.values()))

    def _paths(self, files: dict[str, bytes], body: bytes) -> None:
        told = json.loads(body)
        wanted = told["paths"] if isinstance(told["paths"], list) else [told["paths"]]
        found = [_entry(path, files[path]) for path in wanted if path in files]
        folders = {path.rsplit("/", 1)[0] for path in files if "/" in path}
        found += [_folder(path) for path in wanted if path in folders]
        self._answer(200, found)

    def _file(self, files: dict[str, bytes], path: str) -> None:
        if path not in files:
            return self._answer(404, {"error": "Entry not found"}, "EntryNotFound")
        body = files[path]
        headers = {"ETag": f'"{_oid(body)}"', "X-Repo-Commit": SHA, "Accept-Ranges": "bytes"}
        wanted = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted:
            start, end = int(wanted[1]), min(int(wanted[2] or len(body)), len(body) - 1)
            headers["Content-Range"] = f"bytes {start}-{end}/{len(body)}"
            return self._send(206, body[start : end + 1], headers)
        return self._send(200, body, headers)

    def _answer(self, status: int, document: Any, problem: str = "") -> None:
        headers = {"Content-Type": "application/json"}
        if problem:
            headers["X-Error-Code"] = problem
        self._send(status, json.dumps(document).encode(), headers)

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


WHEN = "2026-11-01T00:00:00.000Z"


def _oid(body: bytes) -> str:
    return hashlib.sha1(body).hexdigest()  # noqa: S324 - a name of bytes


def _entry(path: str, body: bytes) -> dict[str, Any]:
    return {"type": "file", "path": path, "size": len(body), "oid": _oid(body)}


def _folder(path: str) -> dict[str, Any]:
    return {"type": "directory", "path": path, "size": 0, "oid": "0" * 40}


@contextmanager
def serving() -> Iterator[Hub]:
    """A running Hub on a free port."""
    hub = Hub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        hub.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()
