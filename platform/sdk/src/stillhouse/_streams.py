"""Stand-ins for a client's stream objects: they log when the stream ends or is left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stillhouse._call import Call


class StreamProxy:
    """Stands in for the client's stream object, and passes as one."""

    def __init__(self, stream: Any, call: Call) -> None:
        self._stillhouse_stream = stream
        self._stillhouse_call = call

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return type(self._stillhouse_stream)  # isinstance(stream, openai.Stream) stays true

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stillhouse_stream, name)

    def __del__(self) -> None:
        call = self.__dict__.get("_stillhouse_call")
        if call is not None:
            call.finish_early()


class SyncStream(StreamProxy):
    def __iter__(self) -> SyncStream:
        return self

    def __next__(self) -> Any:
        with self._stillhouse_call.watching():
            chunk = next(self._stillhouse_stream)
        self._stillhouse_call.saw(chunk)
        return chunk

    def __enter__(self) -> SyncStream:
        self._stillhouse_stream.__enter__()
        return self

    def __exit__(self, *exc: Any) -> Any:
        self._stillhouse_call.finish_early()
        return self._stillhouse_stream.__exit__(*exc)

    def close(self) -> None:
        self._stillhouse_call.finish_early()
        self._stillhouse_stream.close()


class AsyncStream(StreamProxy):
    def __aiter__(self) -> AsyncStream:
        return self

    async def __anext__(self) -> Any:
        with self._stillhouse_call.watching():
            chunk = await self._stillhouse_stream.__anext__()
        self._stillhouse_call.saw(chunk)
        return chunk

    async def __aenter__(self) -> AsyncStream:
        await self._stillhouse_stream.__aenter__()
        return self

    async def __aexit__(self, *exc: Any) -> Any:
        self._stillhouse_call.finish_early()
        return await self._stillhouse_stream.__aexit__(*exc)

    async def close(self) -> None:
        self._stillhouse_call.finish_early()
        await self._stillhouse_stream.close()
