"""An export as an answer over HTTP: sent while it is written."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import partial

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse

from requests_log.datasets.export.plans import Plan
from requests_log.datasets.export.writing import file_stream, require_rows, zip_stream


def streamed(request: HttpRequest, plan: Plan, *, is_file: bool) -> StreamingHttpResponse:
    """The whole export as a zip, or the data alone; memory stays small under both kinds of server.

    Raises:
        NothingFits: before anything is sent.
    """
    require_rows(plan)
    pieces = file_stream(plan) if is_file else zip_stream(plan)
    ending = plan.format.extension if is_file else f"{plan.format.name}.zip"
    kind = plan.format.content_type if is_file else "application/zip"
    return StreamingHttpResponse(
        _later(pieces) if isinstance(request, ASGIRequest) else pieces,
        content_type=kind,
        headers={"Content-Disposition": f'attachment; filename="{plan.source.stem}.{ending}"'},
    )


async def _later(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The pieces, each made in the request's thread: Django would collect a plain iterator."""
    take = sync_to_async(partial(next, pieces, None))
    while (piece := await take()) is not None:
        yield piece
