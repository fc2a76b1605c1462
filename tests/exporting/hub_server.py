"""A small server that speaks the Hub's protocol for dataset repositories, over real HTTP.

Create, list, preupload, LFS batch, upload, commit: as `huggingface_hub` uses them.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "hf_of_the_tests"
REGULAR = 4096
"""Files up to this many bytes go into the commit itself."""


@dataclass
class Hub:
    """What the server was told."""

    url: str = ""
    repositories: dict[str, bool] = field(default_factory=dict)
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    stored: dict[str, bytes] = field(default_factory=dict)
    commits: list[str] = field(default_factory=list)
    failures: list[int] = field(default_factory=list)
    """Statuses that the next commits are answered with."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def do_GET(self) -> None:
        parts = self.path.split("?")[0].strip("/").split("/")
        if "/".join(parts[2:4]) not in self.hub.repositories:
            return self._answer(404, {"error": "Repository not found"})
        if parts[:2] == ["api", "datasets"] and "tree" in parts:
            files = self.hub.files.get("/".join(parts[2:4]), {})
            listed = [
                {"type": "file", "path": path, "size": len(body), "oid": "0" * 40}
                for path, body in files.items()
            ]
            return self._answer(200, listed)
        if parts[:2] == ["api", "datasets"]:
            name = "/".join(parts[2:4])
            siblings = [{"rfilename": path} for path in self.hub.files.get(name, {})]
            return self._answer(200, {"id": name, "sha": "0" * 40, "siblings": siblings})
        return self._answer(404, {"error": "Not here"})

    def do_POST(self) -> None:
        body = self._body()
        if self.path != "/lfs-verify" and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self._answer(401, {"error": "Invalid user token."})
        path = self.path.split("?")[0]
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        if path.endswith("/info/lfs/objects/batch"):
            return self._batch(json.loads(body))
        if "/preupload/" in path:
            return self._preupload(json.loads(body))
        if "/commit/" in path:
            return self._commit("/".join(path.split("/")[3:5]), body)
        return self._answer(200, {})

    def do_PUT(self) -> None:
        body = self._body()
        self.hub.stored[hashlib.sha256(body).hexdigest()] = body
        self._answer(200, {})

    def _create(self, told: dict[str, Any]) -> None:
        name = f"{told.get('organization') or 'me'}/{told['name']}"
        url = f"{self.hub.url}/datasets/{name}"
        if name.startswith("forbidden/"):
            return self._answer(403, {"error": "You have no rights here."})
        if name in self.hub.repositories:
            return self._answer(409, {"url": url, "error": "You already created it"})
        self.hub.repositories[name] = told.get("visibility") == "private"
        self.hub.files[name] = {}
        return self._answer(200, {"url": url, "name": name, "id": name})

    def _preupload(self, told: dict[str, Any]) -> None:
        files = [
            {
                "path": one["path"],
                "uploadMode": "regular" if one["size"] <= REGULAR else "lfs",
                "shouldIgnore": False,
                "oid": None,
            }
            for one in told["files"]
        ]
        self._answer(200, {"files": files})

    def _batch(self, told: dict[str, Any]) -> None:
        objects = [
            {
                "oid": one["oid"],
                "size": one["size"],
                "authenticated": True,
                "actions": {"upload": {"href": f"{self.hub.url}/lfs/{one['oid']}", "header": {}}},
            }
            for one in told["objects"]
        ]
        self._answer(200, {"transfer": "basic", "objects": objects})

    def _commit(self, name: str, body: bytes) -> None:
        if self.hub.failures:
            return self._answer(self.hub.failures.pop(0), {"error": "Not now"})
        lines = [json.loads(line) for line in body.splitlines()]
        files = self.hub.files[name]
        for line in lines:
            told = line["value"]
            if line["key"] == "file":
                files[told["path"]] = base64.b64decode(told["content"])
            elif line["key"] == "lfsFile":
                files[told["path"]] = self.hub.stored[told["oid"]]
            elif line["key"] == "deletedFile":
                del files[told["path"]]
        self.hub.commits.append(lines[0]["value"]["summary"])
        oid = f"{len(self.hub.commits):040d}"
        url = f"{self.hub.url}/datasets/{name}/commit/{oid}"
        return self._answer(200, {"success": True, "commitOid": oid, "commitUrl": url})

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            return b"".join(self._chunks())
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _answer(self, status: int, document: Any) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


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
