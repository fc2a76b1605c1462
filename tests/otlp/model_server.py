"""A model provider for instrumented clients: answers, streams, calls a tool, and refuses."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

USAGE = {
    "prompt_tokens": 31,
    "completion_tokens": 12,
    "total_tokens": 43,
    "prompt_tokens_details": {"cached_tokens": 16},
    "completion_tokens_details": {"reasoning_tokens": 5},
}
TOOL_CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city": "Graz"}'},
}
HEAD = {"id": "chatcmpl-1", "created": 1_790_000_000, "model": "gpt-test-2026"}


def completion(message: dict[str, Any], finish_reason: str) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", **message}}
    return {
        **HEAD,
        "object": "chat.completion",
        "choices": [choice | {"finish_reason": finish_reason}],
        "usage": USAGE,
    }


def chunk(delta: dict[str, Any], finish_reason: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return {**HEAD, "object": "chat.completion.chunk", "choices": [choice], **more}


STREAM = [
    chunk({"role": "assistant", "content": ""}),
    chunk({"content": "Ra"}),
    chunk({"content": "in ☂"}),
    chunk({}, "stop"),
    {**chunk({}), "choices": [], "usage": USAGE},
]
EMBEDDING = {
    "object": "list",
    "model": "embed-test",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.25, -0.5]}],
    "usage": {"prompt_tokens": 2, "total_tokens": 2},
}
RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1_790_000_000,
    "status": "completed",
    "model": "gpt-test-2026",
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "output": [
        {
            "type": "message",
            "id": "msg_1",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Rain.", "annotations": []}],
        }
    ],
    "usage": {
        "input_tokens": 9,
        "input_tokens_details": {"cached_tokens": 4},
        "output_tokens": 3,
        "output_tokens_details": {"reasoning_tokens": 1},
        "total_tokens": 12,
    },
}


def answer_to(path: str, asked: dict[str, Any]) -> tuple[int, Any]:
    """Status and document; a list is sent as an event stream."""
    if path.endswith("/embeddings"):
        return 200, EMBEDDING
    if path.endswith("/responses"):
        return 200, RESPONSE
    if asked["model"] == "gpt-broken":
        message = "This model takes no such messages."
        return 400, {"error": {"message": message, "type": "invalid_request_error"}}
    if asked.get("stream"):
        return 200, STREAM
    if asked["messages"][-1]["role"] == "tool":
        return 200, completion({"content": "Rain."}, "stop")
    return 200, completion({"content": None, "tool_calls": [TOOL_CALL]}, "tool_calls")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, document = answer_to(self.path, asked)
        if isinstance(document, list):
            body = "".join(f"data: {json.dumps(part)}\n\n" for part in document).encode()
            self._send(status, "text/event-stream", body + b"data: [DONE]\n\n")
        else:
            self._send(status, "application/json", json.dumps(document).encode())

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def model_server() -> Iterator[str]:
    """Its base URL, `http://…/v1`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
