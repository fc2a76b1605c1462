"""Streaming a frozen version as one JSON row a line."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import StreamingHttpResponse
from rest_framework.request import Request

from requests_log.datasets.models import DatasetVersion

Chunk = list[tuple[int, bytes, bytes]]


def ndjson(
    request: Request, version: DatasetVersion, *, split: str | None
) -> StreamingHttpResponse:
    """The rows as they are read: memory stays small under both kinds of server."""
    under_asgi = isinstance(request._request, ASGIRequest)
    lines = _later(version, split) if under_asgi else _now(version, split)
    name = f"{version.dataset.slug}-v{version.number}{f'-{split}' if split else ''}.jsonl"
    return StreamingHttpResponse(
        lines,
        content_type="application/x-ndjson",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "X-Content-Hash": version.content_hash,
        },
    )


def _now(version: DatasetVersion, split: str | None) -> Iterator[bytes]:
    for chunk in version.chunks(split):
        yield _lines(chunk)


async def _later(version: DatasetVersion, split: str | None) -> AsyncIterator[bytes]:
    after = -1
    while chunk := await sync_to_async(version.chunk_after)(after, split):
        yield _lines(chunk)
        after = chunk[-1][0]


def _lines(chunk: Chunk) -> bytes:
    """Canonical payloads are objects, so the id goes in behind the opening brace."""
    return b"".join(
        b'{"id":"%s",%s\n' % (sha256.hex().encode(), payload[1:]) for _, sha256, payload in chunk
    )
