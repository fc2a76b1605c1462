"""Conversations of every kind that a dataset holds, and ways to export them."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import yaml

from requests_log.datasets.canonical import read_row
from requests_log.datasets.export.formats import FORMATS
from requests_log.datasets.export.plans import Plan, Tally
from requests_log.datasets.export.sources import Source
from requests_log.datasets.export.writing import Folder, write

PLAIN: dict[str, Any] = {
    "messages": [
        {"role": "system", "content": "Answer briefly."},
        {"role": "user", "content": "What is 2+2?"},
        {"role": "assistant", "content": "4"},
    ]
}
TURNS: dict[str, Any] = {
    "messages": [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi!", "weight": 0},
        {"role": "user", "content": "Where is Oslo?"},
        {"role": "assistant", "content": "In Norway."},
    ]
}
_CALL = {"type": "function", "function": {"name": "find", "arguments": '{"id":7}'}, "id": "c1"}
TOOLS: dict[str, Any] = {
    "messages": [
        {"role": "user", "content": "Where is parcel 7?"},
        {"role": "assistant", "tool_calls": [_CALL]},
        {"role": "tool", "tool_call_id": "c1", "content": "in Bergen"},
        {"role": "assistant", "content": "In Bergen."},
    ],
    "tools": [{"type": "function", "function": {"name": "find", "parameters": {"id": {}}}}],
}
PARTS: dict[str, Any] = {
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
            ],
        },
        {"role": "assistant", "content": "A parcel."},
    ]
}
ODD: dict[str, Any] = {
    "messages": [
        {"role": "user", "content": '=HYPERLINK("http://x")\r\nnull'},
        {"role": "assistant", "content": "null"},
    ]
}
PAIR: dict[str, Any] = PLAIN | {"rejected": [{"role": "assistant", "content": "5"}]}
STORED = (PLAIN, TURNS, TOOLS, PARTS, ODD)


def canonical(row: dict[str, Any]) -> bytes:
    """The bytes that a dataset stores."""
    return read_row(row).payload


def exported(source: Source, format_name: str, folder: Path, **options: Any) -> Tally:
    """Write an export into a folder."""
    tally = Tally()
    for _ in write(Plan(source, FORMATS[format_name], **options), Folder(folder), tally):
        pass
    return tally


def header(folder: Path) -> dict[str, Any]:
    """The card's YAML header."""
    _, text, _ = (folder / "README.md").read_text("utf-8").split("---\n", 2)
    read: dict[str, Any] = yaml.safe_load(text)
    return read


def unpacked(body: bytes, folder: Path) -> list[str]:
    """Unpack a zip after checking it; returns its names."""
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.testzip() is None
        archive.extractall(folder)
        return archive.namelist()


def lines(path: Path) -> list[Any]:
    return [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]
