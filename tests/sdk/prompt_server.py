"""The prompt registry of the product, as far as the SDK speaks to it, over real HTTP."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from tests.sdk.servers import JSON, Answer, StillhouseServer, send

PREFIX = "/api/v1/prompts/"


class Asked(NamedTuple):
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


class PromptServer(StillhouseServer):
    """Takes logged calls, and tells prompts by label, number and key."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Asked] = []
        self.versions: dict[tuple[str, int], JSON] = {}
        self.labels: dict[str, int] = {}
        self.splits: dict[str, int] = {}
        self.compiled: Answer = Answer(200, {"text": ""})
        self.refusal: Answer | None = None
        self.hold_prompts: threading.Event | None = None

    def save(self, name: str, version: int, body: Any, **about: Any) -> None:
        """A version of a prompt, in production from now on."""
        kind = "text" if isinstance(body, str) else "chat"
        self.versions[name, version] = {
            "name": name,
            "version": version,
            "kind": kind,
            "syntax": "mustache",
            "body": body,
            "few_shot": [],
            "variables": [],
            "tools": [],
            "response_schema": None,
            "settings": {},
            "tags": [],
            "message": "",
            "created_at": "2026-11-21T09:00:00Z",
            "split": None,
            "a_field_of_a_later_server": True,
            **about,
        }
        self.labels[f"{name}@production"] = version

    def respond(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        url = urlsplit(handler.path)
        if url.path == "/hold-prompts":
            self.hold_prompts = threading.Event()
            return send(handler, Answer(200, {}))
        if url.path == "/release-prompts" and self.hold_prompts is not None:
            self.save("triage", 4, "Four")
            self.hold_prompts.set()
            return send(handler, Answer(200, {}))
        if not url.path.startswith(PREFIX):
            return super().respond(handler, body)
        headers = {name.lower(): value for name, value in handler.headers.items()}
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        told = json.loads(body) if body else None
        with self.lock:
            self.asked.append(Asked(handler.command, url.path, query, headers, told))
        if self.hold_prompts is not None:
            self.hold_prompts.wait(60)
        name = unquote(url.path[len(PREFIX) :])
        return send(handler, self.refusal or self._answer(handler, name, query, headers))

    def _answer(
        self,
        handler: BaseHTTPRequestHandler,
        name: str,
        query: dict[str, str],
        headers: dict[str, str],
    ) -> Answer:
        if handler.command == "POST":
            return self.compiled
        number = self._number(name, query)
        found = self.versions.get((name, number))
        if found is None:
            sentence = f"There is no version of {name} with this label. Give it one first."
            return Answer(404, {"error": {"code": "not_found", "message": sentence}})
        etag = f'"{number}"'
        if headers.get("if-none-match") == etag:
            return Answer(304, b"", {"ETag": etag})
        label = None if "version" in query else query.get("label", "production")
        return Answer(200, {**found, "label": label}, {"ETag": etag})

    def _number(self, name: str, query: dict[str, str]) -> int:
        if "version" in query:
            return int(query["version"])
        if query.get("key") in self.splits:
            return self.splits[query["key"]]
        return self.labels.get(f"{name}@{query.get('label', 'production')}", 0)
