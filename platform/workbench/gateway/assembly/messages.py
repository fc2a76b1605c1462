"""Anthropic's Messages API as a stream: blocks that grow, then a closing mark.

https://docs.anthropic.com/en/docs/build-with-claude/streaming
"""

from __future__ import annotations

import msgspec

from workbench.gateway.assembly.sse import (
    JSON,
    Assembled,
    Document,
    documents,
    error_in,
    index_in,
    object_in,
)

PARTIAL = "partial_json"
TEXTS = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}


def assemble(raw: bytes) -> Assembled:
    """Put the events of a captured stream together."""
    message: Document | None = None
    blocks: dict[int, Document] = {}
    error: Document | None = None
    is_done = False
    for event in documents(raw):
        kind = event.get("type")
        if kind == "message_start":
            message = dict(object_in(event.get("message")))
        elif kind == "message_delta":
            message = _changed(message or {}, event)
        elif kind == "message_stop":
            is_done = True
        elif kind == "error":
            error = error_in(event)
        else:
            _add(blocks, event, str(kind))
    if message is None and not blocks:
        return Assembled(None, False, error)
    return Assembled(_finished(message or {}, blocks), is_done and error is None, error)


def _changed(message: Document, event: Document) -> Document:
    """The message with its stop reason and the counts known so far."""
    usage = {**object_in(message.get("usage")), **object_in(event.get("usage"))}
    return {**message, **object_in(event.get("delta")), **({"usage": usage} if usage else {})}


def _add(blocks: dict[int, Document], event: Document, kind: str) -> None:
    index = index_in(event, "index")
    if kind == "content_block_start":
        blocks[index] = dict(object_in(event.get("content_block")))
    elif kind == "content_block_delta":
        _grow(blocks.setdefault(index, {"type": "text"}), object_in(event.get("delta")))


def _grow(block: Document, delta: Document) -> None:
    kind = str(delta.get("type"))
    if kind in TEXTS:
        _append(block, TEXTS[kind], delta.get(TEXTS[kind]))
    elif kind == "input_json_delta":
        _append(block, PARTIAL, delta.get(PARTIAL))
    elif kind == "citations_delta":
        block["citations"] = [*(block.get("citations") or []), delta.get("citation")]


def _append(block: Document, name: str, piece: JSON) -> None:
    if isinstance(piece, str):
        before = block.get(name)
        block[name] = (before if isinstance(before, str) else "") + piece


def _finished(message: Document, blocks: dict[int, Document]) -> Document:
    content = [_with_input(block) for _, block in sorted(blocks.items())]
    return {"type": "message", "role": "assistant", **message, "content": content}


def _with_input(block: Document) -> Document:
    """A tool's input as the object its pieces make, number for number as it was written.

    Pieces that make none (the stream was broken off) stay as they are, under `partial_json`.
    """
    if PARTIAL not in block:
        return block
    pieces = block[PARTIAL].encode("utf-8", "replace")
    try:
        msgspec.json.decode(pieces)
    except (msgspec.DecodeError, RecursionError):
        return block if pieces else {k: v for k, v in block.items() if k != PARTIAL}
    whole = {name: value for name, value in block.items() if name != PARTIAL}
    return {**whole, "input": msgspec.Raw(pieces)}
