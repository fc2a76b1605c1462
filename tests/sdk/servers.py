"""Real local servers: one takes logged calls as the product does, one talks like OpenAI."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

JSON = dict[str, Any]


class Seen(NamedTuple):
    at: float
    path: str
    headers: dict[str, str]
    envelope: JSON
    raw: bytes
    client: tuple[str, int]


class Answer(NamedTuple):
    status: int = 200
    body: JSON | bytes | None = None
    headers: dict[str, str] = {}


class LocalServer:
    """A threaded HTTP server on a free port; subclasses answer."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def respond(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        raise NotImplementedError

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                server.respond(self, self.rfile.read(int(self.headers["Content-Length"] or 0)))

            def do_GET(self) -> None:
                server.respond(self, b"")

            def log_message(self, *args: object) -> None:
                return

        return Handler


def send(handler: BaseHTTPRequestHandler, answer: Answer) -> None:
    body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
    body = b"" if answer.status == 304 else body
    handler.send_response(answer.status)
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    for name, value in {**headers, **answer.headers}.items():
        handler.send_header(name, value)
    with suppress(OSError):  # the client left before its answer, which some tests do
        handler.end_headers()
        handler.wfile.write(body)


REQUIRED = {
    "request": {"id", "started_at", "operation", "request"},
    "span": {"id", "started_at", "name", "kind", "trace"},
    "score": {"id", "at", "name", "value"},
}


class StillhouseServer(LocalServer):
    """Stores events once by id, speaks the ingest contract, and can be told to fail first."""

    def __init__(self) -> None:
        super().__init__()
        self.stored: dict[str, JSON] = {}
        self.raw: dict[str, bytes] = {}
        self.failures: list[Answer] = []
        self.store_before_failing = False
        self.always: Answer | None = None
        self.hold: threading.Event | None = None
        self._answering = 0
        self.reject: Callable[[JSON], str | None] = lambda event: None
        self.models: dict[str, JSON] = {}
        self.dropped: list[JSON] = []

    def await_held(self) -> None:
        """Return once `hold` keeps a request."""
        deadline = time.monotonic() + 60
        while not self._answering:
            assert time.monotonic() < deadline, "no request came"
            time.sleep(0.005)

    def release(self) -> None:
        """Let go of the requests that `hold` keeps, and wait until all are answered."""
        assert self.hold is not None
        self.hold.set()
        while self._answering:
            time.sleep(0.005)

    @property
    def events(self) -> list[JSON]:
        return list(self.stored.values())

    def respond(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        if handler.path == "/hold":
            self.hold = threading.Event()
            return send(handler, Answer(200, {}))
        if handler.path == "/held":
            return send(handler, Answer(200, {"held": self._answering}))
        if handler.command == "GET":
            return send(handler, self._model(handler))
        with self.lock:
            self._answering += 1
        if self.hold is not None:
            self.hold.wait(240)
        raw = gzip.decompress(body)
        envelope = json.loads(raw)
        host, port = handler.client_address[:2]
        with self.lock:
            headers = {name.lower(): value for name, value in handler.headers.items()}
            self.seen.append(
                Seen(time.monotonic(), handler.path, headers, envelope, raw, (str(host), port))
            )
            failure = self.failures.pop(0) if self.failures else self.always
            answer = self._store(envelope) if not failure or self.store_before_failing else None
            self._answering -= 1
        return send(handler, failure or Answer(200, answer))

    def _store(self, envelope: JSON) -> JSON:
        results = [self._store_one(event) for event in envelope["events"]]
        self.dropped.append(envelope.get("dropped", {}))
        statuses = [result["status"] for result in results]
        return {
            "results": results,
            "accepted": statuses.count("accepted"),
            "duplicates": statuses.count("duplicate"),
            "rejected": statuses.count("rejected"),
        }

    def _store_one(self, event: JSON) -> JSON:
        missing = REQUIRED.get(event.get("type", ""), {"type"}) - event.keys()
        reason = f"missing {missing}" if missing else self.reject(event)
        if reason:
            return {"id": event.get("id"), "status": "rejected", "reason": reason}
        if event["id"] in self.stored:
            return {"id": event["id"], "status": "duplicate"}
        self.stored[event["id"]] = event
        return {"id": event["id"], "status": "accepted"}

    def _model(self, handler: BaseHTTPRequestHandler) -> Answer:
        with self.lock:
            headers = {name.lower(): value for name, value in handler.headers.items()}
            host, port = handler.client_address[:2]
            self.seen.append(
                Seen(time.monotonic(), handler.path, headers, {}, b"", (str(host), port))
            )
        if self.always:
            return self.always
        model = self.models.get(handler.path.rpartition("/")[2])
        if model is None:
            return Answer(404, {"error": {"code": "not_found", "message": "No such model."}})
        etag = f'"{model["version"]}"'
        if handler.headers.get("If-None-Match") == etag:
            return Answer(304, b"", {"ETag": etag})
        return Answer(200, model, {"ETag": etag})


COMPLETION: JSON = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1763712000,
    "model": "small-2026",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Größe: 12 — ok"},
            "finish_reason": "stop",
            "logprobs": None,
        }
    ],
    "usage": {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13},
}


class OpenAIServer(LocalServer):
    """Answers with `replies[path]`; a stream is `chunks`, or `events[path]` with their types."""

    def __init__(self) -> None:
        super().__init__()
        self.completion: JSON = COMPLETION
        self.replies: dict[str, JSON] = {}
        self.events: dict[str, list[JSON]] = {}
        self.chunks: list[JSON] = []
        self.error: Answer | None = None
        self.error_in_stream = False
        self.delay = 0.0

    def respond(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        payload = json.loads(body)
        headers = {name.lower(): value for name, value in handler.headers.items()}
        self.seen.append(Seen(time.monotonic(), handler.path, headers, payload, body, ("", 0)))
        if self.error is not None:
            return send(handler, self.error)
        if not payload.get("stream"):
            time.sleep(self.delay)
            reply = self.replies.get(handler.path.partition("?")[0], self.completion)
            return send(handler, Answer(200, reply))
        return self._stream(handler, self.events.get(handler.path.partition("?")[0]))

    def _stream(self, handler: BaseHTTPRequestHandler, events: list[JSON] | None) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.close_connection = True
        try:
            for event in events or ():
                name, data = event["type"].encode(), json.dumps(event).encode()
                handler.wfile.write(b"event: " + name + b"\ndata: " + data + b"\n\n")
                time.sleep(self.delay)
            if events is not None:
                return
            for chunk in self.chunks:
                handler.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
                time.sleep(self.delay)
            last = {"error": {"message": "overloaded", "type": "server_error"}}
            end = json.dumps(last).encode() if self.error_in_stream else b"[DONE]"
            handler.wfile.write(b"data: " + end + b"\n\n")
        except OSError:
            return  # the consumer left early, which is what some tests do


def chunk(delta: JSON, *, finish: str | None = None, index: int = 0, **top: Any) -> JSON:
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    about = {"id": "chatcmpl-2", "object": "chat.completion.chunk", "created": 1763712000}
    return {**about, "model": "small-2026", "choices": [choice], **top}


@contextmanager
def black_hole() -> Iterator[str]:
    """A server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def dead_url() -> str:
    """An address where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"
